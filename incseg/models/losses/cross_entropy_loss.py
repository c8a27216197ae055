from torch import Tensor, nn

from incseg.models.losses.functional import unbiased_cross_entropy
from incseg.registry import MODELS


@MODELS.register_module()
class CrossEntropyLoss(nn.Module):
    """Ordinary cross-entropy: mean over all pixels, ignored ones counting as zero.

    Args:
        loss_weight: Factor on the loss.
    """

    def __init__(self, loss_weight: float = 1.0):
        super().__init__()
        self.loss_weight = loss_weight

    def forward(
        self, logits: Tensor, target: Tensor, *, num_old: int, ignore_index: int = 255
    ) -> Tensor:
        """Logits ``(N, C, H, W)``, target ``(N, H, W)`` of train ids -> scalar.

        ``num_old`` is not used: to fine-tuning, background is background.
        """
        return self.loss_weight * unbiased_cross_entropy(logits, target, 0, ignore_index)
