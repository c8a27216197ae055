from typing import ClassVar

from torch import Tensor

from incseg.models.distillation.base_distillation import BaseDistillation
from incseg.models.losses.functional import distillation, fused_losses, unbiased_distillation
from incseg.protocols.value_rules import NOT_NEGATIVE, checked
from incseg.structures import NetworkOutputs


class SoftLabelDistillation(BaseDistillation):
    """What the terms on a head's probabilities have in common.

    Args:
        loss_weight: Factor on the term.
        source: Name of the head whose logits are compared.
        alpha: Factor on the teacher's logits before its softmax, 0 or more.
        fused: Whether logits are upsampled a few rows at a time, together with
            the head's cross-entropy where that is fused too; else at once.

    Raises:
        InvalidInputError: If a number is not allowed.
    """

    #: Whether the teacher's background is matched by background plus new classes.
    unbiased: ClassVar[bool]
    reads: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, loss_weight: float = 1.0, source: str = 'decode_head', alpha: float = 1.0,
                 fused: bool = True):
        super().__init__(loss_weight, source)
        self.alpha = checked(f'{type(self).__name__} alpha', alpha, NOT_NEGATIVE)
        self.fused = fused

    def compare(self, student: NetworkOutputs, teacher: NetworkOutputs) -> Tensor:
        if self.fused:
            _, loss = fused_losses(
                student.logits[self.source], teacher.logits[self.source], size=student.size,
                alpha=self.alpha, unbiased=self.unbiased)
            return loss
        plain = unbiased_distillation if self.unbiased else distillation
        return plain(student.full_size(self.source), teacher.full_size(self.source), self.alpha)
