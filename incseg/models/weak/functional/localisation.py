import torch
import torch.nn.functional as F
from torch import Tensor

from incseg.constants import VOID
from incseg.utils.precision import at_least_float32

#: keeps the size penalty finite for a class without a pixel
LEAST_SHARE = 0.01


def ngwp_scores(logits: Tensor) -> Tensor:
    """Score of each class in an image from the maps of where it is.

    With the probabilities ``m = softmax(z)`` over the classes, normalised
    global weighted pooling and the focal penalty of a class that is small::

        s_c = sum m_c z_c / (1 + sum m_c) + (1 - mean m_c)^3 log(0.01 + mean m_c)

    sums and means over the pixels.

    Args:
        logits: ``(N, C, h, w)`` of all classes, the background among them;
            half types become float32.

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
    """WILSON's ``L_CLS``: does the image show the class?

    Args:
        logits: ``(N, C, h, w)``; the new classes are the last ones.
        image_labels: ``(N, C_new)``, 1 where the image shows the new class.

    Returns:
        Scalar: binary cross-entropy of :func:`ngwp_scores`, the mean over
        images and new classes.  Old classes and the background take part in
        the softmax alone.
    """
    scores = ngwp_scores(logits)[:, -image_labels.shape[1] :]
    return F.binary_cross_entropy_with_logits(scores, image_labels.to(scores))


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
    masks: Tensor,
    foreground: float = 0.6,
    background: float = 0.7,
    lowest: float = 0.2,
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
    label = chosen.int().argmax(1).where(chosen.any(1), VOID)
    pixels = chosen.sum((2, 3)).to(logits)
    total = pixels.sum(1, keepdim=True)
    balance = (total - pixels) / (1 + total)
    weight = (chosen * balance[:, :, None, None]).sum(1)
    complete = (pixels > 0).sum(1) == 1 + image_labels.sum(1)
    loss = F.cross_entropy(logits, label, ignore_index=VOID, reduction='none')
    return (complete[:, None, None] * weight * loss).mean()


def smoothed_masks(masks: Tensor, alpha: float) -> Tensor:
    """Between the best class of each pixel and the scores themselves.

    Args:
        masks: Scores ``(N, C, h, w)``.
        alpha: 1: the best class is 1 and the others 0 (classes that are equally
            good are 1 together); 0: the scores as they are.

    Source: WILSON (Cermelli et al., CVPR 2022): 0.5 for VOC, 0.9 for COCO to VOC.
    """
    best = (masks == masks.amax(1, keepdim=True)).to(masks)
    return alpha * best + (1 - alpha) * masks


def segmentation_targets(teacher_logits: Tensor, masks: Tensor) -> Tensor:
    """What WILSON's network is taught: old classes from the teacher, new ones from masks.

    Background is what both take for it: the lower of the two.

    Args:
        teacher_logits: ``(N, K, h, w)``, the background first.
        masks: ``(N, C, h, w)``, smoothed masks of 0 to 1, new classes last.

    Returns:
        ``(N, C, h, w)``, probabilities of one sigmoid a class; they need not
        sum to 1.

    Source: WILSON (Cermelli et al., CVPR 2022).
    """
    old = teacher_logits.sigmoid()
    background = torch.minimum(old[:, :1], masks[:, :1])
    return torch.cat([background, old[:, 1:], masks[:, old.shape[1] :]], 1)


def image_weights(masks: Tensor, image_labels: Tensor) -> Tensor:
    """Which images are taught: those whose masks have just the new classes that they show.

    A class that smoothed masks leave out exists for ``alpha=1`` alone.

    Args:
        masks: ``(N, C, h, w)``, smoothed masks, new classes last, absent ones 0.
        image_labels: ``(N, C_new)``, 0 or 1.

    Returns:
        ``(N,)`` with a mean of 1, equal for all images that are taught and 0
        for the others; all 0 where none is.
    """
    found = masks[:, -image_labels.shape[1] :].sum((2, 3)) > 0
    taught = (found == image_labels.bool()).all(1).to(masks)
    return taught * len(taught) / taught.sum().clamp(min=1)
