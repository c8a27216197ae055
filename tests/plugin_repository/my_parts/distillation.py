import torch.nn.functional as F

from incseg.errors import InvalidInputError
from incseg.models.distillation.base_distillation import BaseDistillation
from incseg.registry import MODELS
from incseg.structures import NetworkOutputs


@MODELS.register_module()
class StageDistillation(BaseDistillation):
    """Stages, and what a head's classifier reads, stay close to the teacher's."""

    reads = frozenset({'intermediate', 'features'})

    def __init__(self, stage=-1, **kwargs):
        super().__init__(**kwargs)
        self.stage = stage

    def check(self, network):
        super().check(network)
        stages = len(network.backbone.stage_channels)
        if not -stages <= self.stage < stages:
            raise InvalidInputError(f'stage is {self.stage!r}, but the backbone has {stages}')

    def compare(self, student: NetworkOutputs, teacher: NetworkOutputs):
        stages = F.mse_loss(student.stages[self.stage], teacher.stages[self.stage])
        maps = F.mse_loss(student.features[-1], teacher.features[-1])
        read = F.mse_loss(student.head_features[self.source], teacher.head_features[self.source])
        return stages + maps + read
