from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor

from incseg.errors import InvalidInputError
from incseg.models.distillation.base_distillation import BaseDistillation
from incseg.models.losses.functional.precision import at_least_float32
from incseg.registry import MODELS
from incseg.structures import NetworkOutputs


@MODELS.register_module()
class FeatureDistillation(BaseDistillation):
    """ILT's term: mean squared difference of a map that the backbone returns.

    Args:
        loss_weight: Factor on the term; 100 is customary.
        index: Which of the backbone's maps; the last one by default, what the
            principal head reads (for BiSeNet the fused map).

    Source: Michieli and Zanuttigh, "Incremental Learning Techniques for
    Semantic Segmentation", ICCV Workshops 2019.
    """

    reads: ClassVar[frozenset[str]] = frozenset({'features'})

    def __init__(self, loss_weight: float = 1.0, index: int = -1):
        super().__init__(loss_weight)
        self.index = index

    def check(self, network: Any) -> None:
        maps = len(network.backbone.out_channels)
        if not isinstance(self.index, int) or not -maps <= self.index < maps:
            raise InvalidInputError(f'index is {self.index!r}, allowed: {-maps} to {maps - 1}')

    def compare(self, student: NetworkOutputs, teacher: NetworkOutputs) -> Tensor:
        """Mean over all ``N * C * h * w`` elements, float32 or wider."""
        return F.mse_loss(
            at_least_float32(student.features[self.index]),
            at_least_float32(teacher.features[self.index].detach()))
