from abc import ABC, abstractmethod
from functools import partial

from torch import Tensor, nn

from incseg.models.losses.functional import (
    binary_cross_entropy,
    fused_losses,
    soft_binary_cross_entropy,
    unbiased_cross_entropy,
)
from incseg.models.losses.functional.cross_entropy import check_image_weight
from incseg.models.losses.fused.image_by_image import image_by_image
from incseg.registry import MODELS
from incseg.utils.rules import NOT_NEGATIVE, checked


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
        self,
        logits: Tensor,
        target: Tensor,
        *,
        num_old: int,
        ignore_index: int = 255,
        image_weight: Tensor | None = None,
    ) -> Tensor:
        """Logits ``(N, C, h, w)``, target ``(N, H, W)`` of train ids -> scalar.

        ``image_weight``, ``(N,)``, is a factor on each image's part of it.
        """
        merged = self.merged(num_old)
        if self.fused:
            loss, _ = fused_losses(
                logits,
                None,
                target,
                num_old=merged,
                ignore_index=ignore_index,
                image_weight=image_weight,
            )
        else:
            loss = unbiased_cross_entropy(logits, target, merged, ignore_index, image_weight)
        return self.loss_weight * loss


@MODELS.register_module()
class CrossEntropyLoss(PixelCrossEntropy):
    """Ordinary cross-entropy: to fine-tuning, background is background.

    Args:
        loss_weight, fused: See :class:`PixelCrossEntropy`.
    """

    def merged(self, num_old: int) -> int:
        return 0


@MODELS.register_module()
class UnbiasedCrossEntropyLoss(PixelCrossEntropy):
    """MiB's cross-entropy: background stands for background and all old classes.

    Args:
        loss_weight, fused: See :class:`PixelCrossEntropy`.

    See :func:`incseg.models.losses.functional.unbiased_cross_entropy`.
    """

    #: What this loss is while there are no old classes; lets every method
    #: share the base step.
    base_step_type = 'CrossEntropyLoss'

    def merged(self, num_old: int) -> int:
        return num_old


@MODELS.register_module()
class BinaryCrossEntropyLoss(nn.Module):
    """LwF-MC's and WILSON's loss: one sigmoid a class; the base step is trained with it too.

    Args:
        loss_weight: Factor on the loss, 0 or more.
        fused: Whether it takes logits as the head made them and upsamples them
            an image at a time; else they come at the target's size.

    See :func:`incseg.models.losses.functional.binary_cross_entropy`, and
    :func:`incseg.models.losses.functional.binary_cross_entropy` for soft
    targets.
    """

    soft_targets = True

    def __init__(self, loss_weight: float = 1.0, fused: bool = True):
        super().__init__()
        self.loss_weight = checked(f'{type(self).__name__} loss_weight', loss_weight, NOT_NEGATIVE)
        self.fused = fused

    @property
    def low_resolution(self) -> bool:
        """Whether the loss wants logits as the head made them."""
        return self.fused

    def forward(
        self,
        logits: Tensor,
        target: Tensor,
        *,
        num_old: int,
        ignore_index: int = 255,
        image_weight: Tensor | None = None,
    ) -> Tensor:
        """Logits ``(N, C, h, w)``, target ``(N, H, W)`` of train ids -> scalar.

        A target may also be a probability of each class, floating ``(N, C, H, W)``.
        ``num_old`` makes no difference: an old label is its own class.
        ``image_weight``, ``(N,)``, is a factor on each image's part of it.
        """
        if target.is_floating_point():
            loss = soft_binary_cross_entropy(logits, target, image_weight)
        elif not self.fused:
            loss = binary_cross_entropy(logits, target, ignore_index, image_weight)
        else:
            if image_weight is not None:
                image_weight = check_image_weight(image_weight, logits)
            loss = image_by_image(
                partial(binary_cross_entropy, ignore_index=ignore_index),
                logits,
                target,
                (target.shape[-2], target.shape[-1]),
                image_weight,
            )
        return self.loss_weight * loss
