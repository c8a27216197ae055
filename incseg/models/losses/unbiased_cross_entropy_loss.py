from torch import Tensor, nn

from incseg.models.losses.functional import unbiased_cross_entropy
from incseg.registry import MODELS


@MODELS.register_module()
class UnbiasedCrossEntropyLoss(nn.Module):
    """MiB's cross-entropy: background stands for background and all old classes.

    Args:
        loss_weight: Factor on the loss.

    See :func:`incseg.models.losses.functional.unbiased_cross_entropy`.
    """

    #: What this loss is while there are no old classes; lets every method
    #: share the base step.
    base_step_type = 'CrossEntropyLoss'

    def __init__(self, loss_weight: float = 1.0):
        super().__init__()
        self.loss_weight = loss_weight

    def forward(
        self, logits: Tensor, target: Tensor, *, num_old: int, ignore_index: int = 255
    ) -> Tensor:
        """Logits ``(N, C, H, W)``, target ``(N, H, W)`` of train ids -> scalar."""
        return self.loss_weight * unbiased_cross_entropy(logits, target, num_old, ignore_index)
