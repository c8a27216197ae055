import torch.nn.functional as F
from torch import Tensor

from incseg.models.losses.functional.cross_entropy import check_image_weight
from incseg.models.losses.functional.precision import at_least_float32

#: above it log(1 + exp(z)) is z: even in float64 the difference is below rounding
LINEAR_FROM = 40.


def binary_cross_entropy(
    logits: Tensor, target: Tensor, ignore_index: int = 255, image_weight: Tensor | None = None,
) -> Tensor:
    """One sigmoid a class: "is it this one?", summed over the classes.

    A pixel's loss is ``sum_c log(1 + exp(z_c)) - z_label``: the binary
    cross-entropies with the target 1 for its label and 0 for every other class.
    No one-hot target is made.

    Args:
        logits: ``(N, C, H, W)``, before the sigmoid.
        target: ``(N, H, W)``, integer train ids.
        ignore_index: Pixels with this label contribute zero.
        image_weight: ``(N,)``, a factor on every pixel of an image; the mean
            is still over all pixels.  Gets no gradient.

    Returns:
        Scalar: summed over classes, the mean over **all** ``N * H * W`` pixels,
        ignored ones counting as zero.

    Raises:
        ValueError: If the shapes do not fit.

    Source: Rebuffi et al., "iCaRL: Incremental Classifier and Representation
    Learning", CVPR 2017, as used for segmentation by Cermelli et al. (MiB).
    """
    if logits.shape[:1] + logits.shape[2:] != target.shape:
        raise ValueError(
            f'logits {tuple(logits.shape)} and target {tuple(target.shape)} do not fit: '
            'expected (N, C, H, W) and (N, H, W)')
    logits = at_least_float32(logits)
    target = target.long()
    valid = target != ignore_index
    score = logits.gather(1, target.where(valid, 0).unsqueeze(1)).squeeze(1)
    loss = (softplus(logits).sum(1) - score).where(valid, 0)
    if image_weight is not None:
        loss = loss * check_image_weight(image_weight, logits)[:, None, None]
    return loss.mean()


def softplus(logits: Tensor) -> Tensor:
    """``log(1 + exp(z))``, the binary cross-entropy for the target 0."""
    return F.softplus(logits, threshold=LINEAR_FROM)
