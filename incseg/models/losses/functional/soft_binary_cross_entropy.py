from torch import Tensor

from incseg.models.losses.functional.binary_cross_entropy import softplus
from incseg.models.losses.functional.cross_entropy import check_image_weight
from incseg.models.losses.functional.precision import at_least_float32
from incseg.structures.network_outputs import upsample


def soft_binary_cross_entropy(
    logits: Tensor, target: Tensor, image_weight: Tensor | None = None
) -> Tensor:
    """One sigmoid a class against a probability a class.

    A pixel's loss is ``sum_c log(1 + exp(z_c)) - t_c z_c``.

    Args:
        logits: ``(N, C, h, w)``, before the sigmoid; brought to the target's
            size (bilinear) where it differs.
        target: ``(N, C, H, W)`` of 0 to 1.
        image_weight: ``(N,)``, a factor on every pixel of an image; the mean
            is still over all pixels.  Gets no gradient.

    Returns:
        Scalar: summed over classes, the mean over all ``N * H * W`` pixels.

    Raises:
        ValueError: If images or classes differ in number.

    Source: Cermelli et al., "Incremental Learning in Semantic Segmentation from
    Image Labels" (WILSON), CVPR 2022.
    """
    if logits.shape[:2] != target.shape[:2]:
        raise ValueError(
            f'logits {tuple(logits.shape)} and target {tuple(target.shape)} do not fit: '
            'expected the same number of images and classes')
    logits = upsample(at_least_float32(logits), (target.shape[-2], target.shape[-1]))
    loss = (softplus(logits) - target.to(logits) * logits).sum(1)
    if image_weight is not None:
        loss = loss * check_image_weight(image_weight, logits)[:, None, None]
    return loss.mean()
