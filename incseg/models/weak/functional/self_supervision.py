import torch.nn.functional as F
from torch import Tensor

from incseg.models.losses.functional.precision import at_least_float32

IGNORE_INDEX = 255


def present_masks(masks: Tensor, image_labels: Tensor) -> Tensor:
    """Scores of the background and of the new classes that the image shows; 0 for the others.

    Args:
        masks: ``(N, C, h, w)``, background first, new classes last.
        image_labels: ``(N, C_new)``, 0 or 1.
    """
    old = masks.shape[1] - image_labels.shape[1]
    kept = F.pad(image_labels.to(masks), (old, 0))
    kept[:, 0] = 1
    return masks * kept[:, :, None, None]


def confident_pixels(
    masks: Tensor, foreground: float = 0.6, background: float = 0.7, lowest: float = 0.2,
) -> Tensor:
    """Where a class is so likely that it may serve as a label.

    A class's score must exceed a share of its maximum in the image, and
    ``lowest``.  Pixels in which two classes do have no label.

    Args:
        masks: Scores ``(N, C, h, w)`` of 0 to 1, background first.
        foreground: The share, for every class but the background.
        background: The share, for the background.
        lowest: No score below it is trusted.

    Returns:
        Bool ``(N, C, h, w)``, at most one class a pixel.

    Source: Araslanov and Roth, "Single-Stage Semantic Segmentation from Image
    Labels", CVPR 2020, with the values of WILSON's published code.
    """
    limit = masks.amax((2, 3), keepdim=True)
    limit[:, :1] *= background
    limit[:, 1:] *= foreground
    sure = masks > limit.clamp(min=lowest)
    return sure & (sure.sum(1, keepdim=True) == 1)


def balanced_cross_entropy(logits: Tensor, chosen: Tensor, image_labels: Tensor) -> Tensor:
    """WILSON's ``L_SELF``: cross-entropy with the localiser's own confident pixels.

    With ``n_c`` labelled pixels of class *c* in an image, ``n`` of all, a pixel
    labelled *c* counts ``(n - n_c) / (1 + n)``, so that no class outweighs the
    others.  An image counts only if exactly its classes and the background have
    labelled pixels: with the background alone it would teach that all is background.

    Args:
        logits: ``(N, C, h, w)``; half types become float32.
        chosen: Bool ``(N, C, h, w)``, at most one class a pixel.
        image_labels: ``(N, C_new)``, 0 or 1.

    Returns:
        Scalar, the mean over **all** images and pixels; those that do not
        count are zero.

    Source: Araslanov and Roth, CVPR 2020, as WILSON (Cermelli et al., CVPR
    2022) uses it.
    """
    logits = at_least_float32(logits)
    label = chosen.int().argmax(1).where(chosen.any(1), IGNORE_INDEX)
    pixels = chosen.sum((2, 3)).to(logits)
    total = pixels.sum(1, keepdim=True)
    balance = (total - pixels) / (1 + total)
    weight = (chosen * balance[:, :, None, None]).sum(1)
    complete = (pixels > 0).sum(1) == 1 + image_labels.sum(1)
    loss = F.cross_entropy(logits, label, ignore_index=IGNORE_INDEX, reduction='none')
    return (complete[:, None, None] * weight * loss).mean()
