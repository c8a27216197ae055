import torch
from torch import Tensor


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
    return torch.cat([background, old[:, 1:], masks[:, old.shape[1]:]], 1)


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
    found = masks[:, -image_labels.shape[1]:].sum((2, 3)) > 0
    taught = (found == image_labels.bool()).all(1).to(masks)
    return taught * len(taught) / taught.sum().clamp(min=1)
