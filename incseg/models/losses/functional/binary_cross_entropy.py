"""Binary cross-entropies with one sigmoid per class."""

import torch.nn.functional as F
from torch import Tensor

from incseg.models.losses.functional.cross_entropy import (
    channels_of_labels,
    check_image_weight,
    check_target,
)
from incseg.structures.network_outputs import upsample
from incseg.utils.precision import at_least_float32
from incseg.utils.rules import expected

#: above this logit, log(1 + exp(z)) is z: even in float64 the difference is below rounding
LINEAR_FROM = 40.0


def binary_cross_entropy(
    logits: Tensor,
    target: Tensor,
    ignore_index: int = 255,
    image_weight: Tensor | None = None,
) -> Tensor:
    """Return the binary cross-entropy with one sigmoid per class, summed over the classes.

    A pixel's loss is ``sum_c log(1 + exp(z_c)) - z_label``: the target is 1 for the
    pixel's label and 0 for every other class.  There is no one-hot tensor.

    Args:
        logits: ``(N, C, H, W)``, before the sigmoid.
        target: ``(N, H, W)``, integer train ids.
        ignore_index: Pixels with this label contribute zero.
        image_weight: ``(N,)``, a factor on every pixel of an image; the mean
            is still over all pixels.  Gets no gradient.

    Returns:
        Scalar, float32 or wider: the sum over classes, then the mean over **all**
        ``N * H * W`` pixels, ignored ones counting as zero.

    Raises:
        ValueError: If the shapes do not fit, there is no image, or a label is neither a channel
            nor ignored; on a GPU the result is NaN then.

    Source: Rebuffi et al., "iCaRL: Incremental Classifier and Representation
    Learning", CVPR 2017, as used for segmentation by Cermelli et al. (MiB).
    """
    if logits.shape[:1] + logits.shape[2:] != target.shape:
        raise expected(
            'shape of logits and target',
            (tuple(logits.shape), tuple(target.shape)),
            '(N, C, H, W) and (N, H, W)',
        )
    check_target(target, logits.shape[1], ignore_index)
    logits = at_least_float32(logits)
    index, valid, foreign = channels_of_labels(target, logits.shape[1], ignore_index)
    score = logits.gather(1, index.unsqueeze(1)).squeeze(1)
    loss = (softplus(logits).sum(1) - score).where(valid, 0)
    if foreign is not None:
        loss = loss.masked_fill(foreign, float('nan'))
    if image_weight is not None:
        loss = loss * check_image_weight(image_weight, logits)[:, None, None]
    return loss.mean()


def softplus(logits: Tensor) -> Tensor:
    """Return ``log(1 + exp(z))`` of each logit: the binary cross-entropy for the target 0.

    Args:
        logits: Any shape.

    Returns:
        The same shape and dtype.
    """
    return F.softplus(logits, threshold=LINEAR_FROM)


def soft_binary_cross_entropy(
    logits: Tensor, target: Tensor, image_weight: Tensor | None = None
) -> Tensor:
    """Return the binary cross-entropy against a probability of each class.

    A pixel's loss is ``sum_c log(1 + exp(z_c)) - t_c z_c``.

    Args:
        logits: ``(N, C, h, w)``, before the sigmoid; resized (bilinear) to the
            target's size where it differs.
        target: ``(N, C, H, W)`` of 0 to 1.
        image_weight: ``(N,)``, a factor on every pixel of an image; the mean
            is still over all pixels.  Gets no gradient.

    Returns:
        Scalar, float32 or wider: the sum over classes, then the mean over all
        ``N * H * W`` pixels.

    Raises:
        ValueError: If the numbers of images or classes differ.

    Source: Cermelli et al., "Incremental Learning in Semantic Segmentation from
    Image Labels" (WILSON), CVPR 2022.
    """
    if logits.shape[:2] != target.shape[:2]:
        raise expected(
            'shape of logits and target',
            (tuple(logits.shape), tuple(target.shape)),
            'the same number of images and classes',
        )
    logits = upsample(at_least_float32(logits), (target.shape[-2], target.shape[-1]))
    loss = (softplus(logits) - target.to(logits) * logits).sum(1)
    if image_weight is not None:
        loss = loss * check_image_weight(image_weight, logits)[:, None, None]
    return loss.mean()
