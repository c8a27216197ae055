"""WILSON's functions: losses and soft labels from image-level labels."""

import torch
import torch.nn.functional as F
from torch import Tensor

from incseg.constants import VOID
from incseg.utils.precision import at_least_float32

#: keeps the size penalty finite for a class without a pixel
LEAST_SHARE = 0.01


def ngwp_scores(logits: Tensor) -> Tensor:
    """Return one logit for each class in an image, pooled from the class's map of logits.

    Normalised global weighted pooling, and a focal penalty for small classes, with the
    probabilities ``m = softmax(z)`` over the classes::

        s_c = sum m_c z_c / (1 + sum m_c) + (1 - mean m_c)^3 log(0.01 + mean m_c)

    Sums and means are taken over the pixels.

    Args:
        logits: ``(N, C, h, w)`` of all classes, background included; half types
            become float32.

    Returns:
        ``(N, C)``, logits.

    Source: Araslanov and Roth, "Single-Stage Semantic Segmentation from Image
    Labels", CVPR 2020; the 1 in the denominator is of WILSON's published code.
    """
    logits = at_least_float32(logits)
    masks = logits.softmax(1)
    pooled = (logits * masks).sum((2, 3)) / (1 + masks.sum((2, 3)))
    share = masks.mean((2, 3))
    return pooled + (1 - share) ** 3 * (LEAST_SHARE + share).log()


def image_classification_loss(logits: Tensor, image_labels: Tensor) -> Tensor:
    """Return WILSON's ``L_CLS``, the classification of images by the new classes.

    Args:
        logits: ``(N, C, h, w)``; the new classes are the last ones.
        image_labels: ``(N, C_new)``, 1 where the image shows the new class.

    Returns:
        Scalar: binary cross-entropy of :func:`ngwp_scores`, the mean over
        images and new classes.  Old classes and the background only enter the softmax.

    Source: WILSON (Cermelli et al., CVPR 2022).
    """
    scores = ngwp_scores(logits)[:, -image_labels.shape[1] :]
    return F.binary_cross_entropy_with_logits(scores, image_labels.to(scores))


def present_masks(masks: Tensor, image_labels: Tensor) -> Tensor:
    """Set the scores of all classes to 0 but the background and the image's new classes.

    Args:
        masks: Scores ``(N, C, h, w)``, background first, new classes last.
        image_labels: ``(N, C_new)``, 0 or 1.

    Returns:
        ``(N, C, h, w)``.
    """
    old = masks.shape[1] - image_labels.shape[1]
    present = F.pad(image_labels.to(masks), (old, 0))
    present[:, 0] = 1
    return masks * present[:, :, None, None]


def confident_pixels(
    masks: Tensor,
    foreground: float = 0.6,
    background: float = 0.7,
    lowest: float = 0.2,
) -> Tensor:
    """Return the pixels in which a class is so likely that it can be a label.

    The score of the class must exceed ``lowest`` and a share of the class's maximum in
    the image.  A pixel in which two classes fulfil that has no label.

    Args:
        masks: Scores ``(N, C, h, w)`` of 0 to 1, background first.
        foreground: The share, for every class but the background.
        background: The share, for the background.
        lowest: No score below it is trusted.

    Returns:
        Bool ``(N, C, h, w)``, at most one class per pixel.

    Source: Araslanov and Roth, "Single-Stage Semantic Segmentation from Image
    Labels", CVPR 2020, with the values of WILSON's published code.
    """
    limit = masks.amax((2, 3), keepdim=True)
    limit[:, :1] *= background
    limit[:, 1:] *= foreground
    sure = masks > limit.clamp(min=lowest)
    return sure & (sure.sum(1, keepdim=True) == 1)


def balanced_cross_entropy(logits: Tensor, chosen: Tensor, image_labels: Tensor) -> Tensor:
    """Return WILSON's ``L_SELF``, the cross-entropy with the localiser's own confident pixels.

    If an image has ``n_c`` labelled pixels of class *c* and ``n`` in all, a pixel
    labelled *c* has the weight ``(n - n_c) / (1 + n)``, so that no class outweighs the
    others.  An image counts only if exactly its classes and the background have
    labelled pixels: an image with labelled background only would teach that everything
    is background.

    Args:
        logits: ``(N, C, h, w)``; half types become float32.
        chosen: Bool ``(N, C, h, w)``, at most one class per pixel.
        image_labels: ``(N, C_new)``, 0 or 1.

    Returns:
        Scalar, the mean over **all** images and pixels; images that do not count
        are zero.

    Source: Araslanov and Roth, CVPR 2020, as WILSON (Cermelli et al., CVPR
    2022) uses it.
    """
    logits = at_least_float32(logits)
    label = chosen.int().argmax(1).where(chosen.any(1), VOID)
    pixels = chosen.sum((2, 3)).to(logits)
    total = pixels.sum(1, keepdim=True)
    balance = (total - pixels) / (1 + total)
    weight = (chosen * balance[:, :, None, None]).sum(1)
    complete = (pixels > 0).sum(1) == 1 + image_labels.sum(1)
    loss = F.cross_entropy(logits, label, ignore_index=VOID, reduction='none')
    return (complete[:, None, None] * weight * loss).mean()


def smoothed_masks(masks: Tensor, alpha: float) -> Tensor:
    """Return a mixture of each pixel's best class and the scores themselves.

    Args:
        masks: Scores ``(N, C, h, w)``.
        alpha: 1 for one-hot masks of the best class (classes with equal scores are
            all 1), 0 for the unchanged scores.

    Returns:
        ``(N, C, h, w)``.

    Source: WILSON (Cermelli et al., CVPR 2022): 0.5 for VOC, 0.9 for COCO to VOC.
    """
    best = (masks == masks.amax(1, keepdim=True)).to(masks)
    return alpha * best + (1 - alpha) * masks


def segmentation_targets(teacher_logits: Tensor, masks: Tensor) -> Tensor:
    """Return the soft labels of WILSON's network: old classes from the teacher, new from masks.

    The background is the lower one of the two backgrounds.

    Args:
        teacher_logits: ``(N, K, h, w)``, the background first.
        masks: ``(N, C, h, w)``, smoothed masks of 0 to 1, new classes last.

    Returns:
        ``(N, C, h, w)``, one probability per class for its sigmoid; they need not
        sum to 1.

    Source: WILSON (Cermelli et al., CVPR 2022).
    """
    old = teacher_logits.sigmoid()
    background = torch.minimum(old[:, :1], masks[:, :1])
    return torch.cat([background, old[:, 1:], masks[:, old.shape[1] :]], 1)


def image_weights(masks: Tensor, image_labels: Tensor) -> Tensor:
    """Return a weight for each image: only images whose masks show all their new classes count.

    With ``alpha`` of :func:`smoothed_masks` below 1 every present class has a mask above 0, so
    all images count.

    Args:
        masks: ``(N, C, h, w)``, smoothed masks, new classes last, absent ones 0.
        image_labels: ``(N, C_new)``, 0 or 1.

    Returns:
        ``(N,)`` with a mean of 1, equal for all images that count and 0 for the
        others; all 0 if no image counts.

    Source: WILSON (Cermelli et al., CVPR 2022), its published code.
    """
    has_mask = masks[:, -image_labels.shape[1] :].sum((2, 3)) > 0
    counts = (has_mask == image_labels.bool()).all(1).to(masks)
    return counts * len(counts) / counts.sum().clamp(min=1)
