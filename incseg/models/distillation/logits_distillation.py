from torch import Tensor

from incseg.models.distillation.base_distillation import BaseDistillation
from incseg.models.losses.functional import distillation
from incseg.registry import MODELS
from incseg.structures import NetworkOutputs


@MODELS.register_module()
class LogitsDistillation(BaseDistillation):
    """LwF's term: the student's old classes follow the teacher's probabilities.

    Args:
        loss_weight: Factor on the term; 100 is customary.
        source: Name of the head whose logits are compared.
        alpha: Factor on the teacher's logits before its softmax.
    """

    def __init__(self, loss_weight: float = 1.0, source: str = 'decode_head', alpha: float = 1.0):
        super().__init__(loss_weight, source)
        self.alpha = alpha

    def compare(self, student: NetworkOutputs, teacher: NetworkOutputs) -> Tensor:
        return distillation(
            student.full_size(self.source), teacher.full_size(self.source), self.alpha)
