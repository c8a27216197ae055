from abc import ABC, abstractmethod

from torch import Tensor, nn

from incseg.models.losses.functional import fused_losses, unbiased_cross_entropy
from incseg.protocols.value_rules import NOT_NEGATIVE, checked


class PixelCrossEntropy(nn.Module, ABC):
    """What the cross-entropies have in common: mean over all pixels, ignored ones zero.

    Args:
        loss_weight: Factor on the loss, 0 or more.
        fused: Whether it takes logits as the head made them and upsamples them
            a few rows at a time; else they come at the target's size.
    """

    def __init__(self, loss_weight: float = 1.0, fused: bool = True):
        super().__init__()
        self.loss_weight = checked(f'{type(self).__name__} loss_weight', loss_weight, NOT_NEGATIVE)
        self.fused = fused

    @property
    def low_resolution(self) -> bool:
        """Whether the loss wants logits as the head made them."""
        return self.fused

    @abstractmethod
    def merged(self, num_old: int) -> int:
        """How many of the old outputs count as background."""

    def forward(
        self, logits: Tensor, target: Tensor, *, num_old: int, ignore_index: int = 255,
        image_weight: Tensor | None = None,
    ) -> Tensor:
        """Logits ``(N, C, h, w)``, target ``(N, H, W)`` of train ids -> scalar.

        ``image_weight``, ``(N,)``, is a factor on each image's part of it.
        """
        merged = self.merged(num_old)
        if self.fused:
            loss, _ = fused_losses(
                logits, None, target, num_old=merged, ignore_index=ignore_index,
                image_weight=image_weight)
        else:
            loss = unbiased_cross_entropy(logits, target, merged, ignore_index, image_weight)
        return self.loss_weight * loss
