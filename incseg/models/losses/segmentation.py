"""The registered segmentation losses: thin classes over the pure functions."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from incseg.models.losses.functional import (
    binary_cross_entropy,
    soft_binary_cross_entropy,
    unbiased_cross_entropy,
)
from incseg.models.losses.functional.cross_entropy import check_image_weight
from incseg.models.losses.fused import fused_losses
from incseg.models.losses.fused.image_by_image import image_by_image
from incseg.registry import MODELS
from incseg.utils.rules import NOT_NEGATIVE, checked, expected


class PixelCrossEntropy(nn.Module, ABC):
    """Base class of the cross-entropies: the mean over all pixels, ignored ones count as zero.

    Args:
        loss_weight: Factor on the loss, 0 or more.
        fused: Whether the loss takes the head's low-resolution logits and upsamples
            them a few rows at a time, which saves memory; else it takes logits of the
            target's size.

    Raises:
        InvalidInputError: If ``loss_weight`` is not allowed.
    """

    #: whether the target may be uint8; other losses get int64
    uint8_target = True

    def __init__(self, loss_weight: float = 1.0, fused: bool = True):
        super().__init__()
        self.loss_weight = checked(f'{type(self).__name__} loss_weight', loss_weight, NOT_NEGATIVE)
        self.fused = fused

    @property
    def low_resolution(self) -> bool:
        """Whether the loss takes the head's logits at their own resolution."""
        return self.fused

    @abstractmethod
    def merged(self, num_old: int) -> int:
        """Return how many of the first outputs have their probabilities summed for the label 0.

        Args:
            num_old: Outputs before this step, the background included.

        Returns:
            That number; 0 if no outputs are summed: every one is a class of its own.
        """

    def forward(
        self,
        logits: Tensor,
        target: Tensor,
        *,
        num_old: int,
        ignore_index: int = 255,
        image_weight: Tensor | None = None,
        hidden: Sequence[int] | None = None,
    ) -> Tensor:
        """Return the weighted loss, a scalar of float32 or wider.

        Args:
            logits: ``(N, C, h, w)``, unnormalised.
            target: ``(N, H, W)``, integer train ids.
            num_old: Outputs before this step, the background included.
            ignore_index: Pixels with this label contribute zero.
            image_weight: ``(N,)``, a factor on each image's part of the loss, or None.
            hidden: Train ids of the classes that the label 0 may show besides the background;
                None for the old classes.

        Raises:
            ValueError: If the shapes do not fit, or ``num_old`` is out of range; see
                :func:`~incseg.models.losses.functional.unbiased_cross_entropy`.
        """
        if hidden is not None and self.merged(2):  # else label 0 is the background alone
            logits, target, num_old = hidden_first(logits, target, hidden, ignore_index)
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
    """Ordinary cross-entropy, as in fine-tuning: a label 0 means the background only.

    Args:
        loss_weight: Factor on the loss, 0 or more.
        fused: Whether logits are upsampled a few rows at a time, which saves memory; else
            the loss takes logits of the target's size.
    """

    def merged(self, num_old: int) -> int:
        return 0


@MODELS.register_module()
class UnbiasedCrossEntropyLoss(PixelCrossEntropy):
    """The cross-entropy of MiB, which knows that label 0 also covers the old classes.

    Where the label is 0, the pixel may show the background or any old class, so
    their probabilities are added up; every other label stands for itself.

    Args:
        loss_weight: Factor on the loss, 0 or more.
        fused: Whether logits are upsampled a few rows at a time, which saves memory; else
            the loss takes logits of the target's size.

    See :func:`incseg.models.losses.functional.unbiased_cross_entropy`.

    Source: Cermelli et al., "Modeling the Background for Incremental Learning in
    Semantic Segmentation", CVPR 2020.
    """

    #: the equal loss of a step without old classes, so that all methods share the base step
    base_step_type = 'CrossEntropyLoss'

    def merged(self, num_old: int) -> int:
        return num_old


@MODELS.register_module()
class BinaryCrossEntropyLoss(nn.Module):
    """LwF-MC's and WILSON's loss: one sigmoid per class, also in the base step.

    Args:
        loss_weight: Factor on the loss, 0 or more.
        fused: Whether the loss takes the head's low-resolution logits and upsamples
            them one image at a time; else the logits come at the target's size.

    Raises:
        InvalidInputError: If ``loss_weight`` is not allowed.

    See :func:`incseg.models.losses.functional.binary_cross_entropy`, and
    :func:`incseg.models.losses.functional.soft_binary_cross_entropy` for soft
    targets.
    """

    #: whether a target may be a probability of each class, or uint8
    soft_targets = uint8_target = True
    #: the probability of a class is the sigmoid of its logit (else softmax)
    independent_classes = True

    def __init__(self, loss_weight: float = 1.0, fused: bool = True):
        super().__init__()
        self.loss_weight = checked(f'{type(self).__name__} loss_weight', loss_weight, NOT_NEGATIVE)
        self.fused = fused

    @property
    def low_resolution(self) -> bool:
        """Whether the loss takes the head's logits at their own resolution."""
        return self.fused

    def forward(
        self,
        logits: Tensor,
        target: Tensor,
        *,
        num_old: int,
        ignore_index: int = 255,
        image_weight: Tensor | None = None,
        hidden: Sequence[int] | None = None,
    ) -> Tensor:
        """Return the weighted loss, a scalar of float32 or wider.

        Args:
            logits: ``(N, C, h, w)``, before the sigmoid.
            target: ``(N, H, W)``, integer train ids; or floating ``(N, C, H, W)``, a
                probability of each class.
            num_old: Not used: an old label is its own class.
            ignore_index: Pixels with this label contribute zero.
            image_weight: ``(N,)``, a factor on each image's part of the loss, or None.
            hidden: Not used, as ``num_old``.

        Raises:
            ValueError: If the shapes do not fit.
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


def hidden_first(
    logits: Tensor, target: Tensor, hidden: Sequence[int], ignore_index: int
) -> tuple[Tensor, Tensor, int]:
    """Bring the channels of hidden classes next to the background, where losses expect them.

    Args:
        logits: ``(N, C, h, w)``.
        target: ``(N, H, W)``, integer train ids.
        hidden: Train ids of the classes that the label 0 may show besides the background.
        ignore_index: The label of ignored pixels.

    Returns:
        The logits with the channels in the order background, hidden classes, other classes; the
        target with the new numbers; the number of channels that the label 0 stands for.

    Raises:
        ValueError: A hidden class is no channel, or is the background.
    """
    first = [0, *sorted(hidden)]
    count = logits.shape[1]
    if len({*first}) < len(first) or not all(0 <= each < count for each in first):
        raise expected('hidden', list(hidden), f'different train ids from 1 to {count - 1}')
    order = [*first, *(i for i in range(count) if i not in {*first})]
    if order == list(range(count)):
        return logits, target, len(first)
    index = torch.tensor(order).to(logits.device, non_blocking=True)
    places = torch.tensor([order.index(i) for i in range(count)])
    places = places.to(target.device, non_blocking=True)
    labels = target.long()
    inside = (labels >= 0) & (labels < count) & (labels != ignore_index)
    renumbered = places[labels.where(inside, 0)].where(inside, labels).to(target.dtype)
    return logits.index_select(1, index), renumbered, len(first)
