import torch.nn.functional as F
from torch import Tensor

from incseg.models.losses.functional.precision import at_least_float32

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
    scores = ngwp_scores(logits)[:, -image_labels.shape[1]:]
    return F.binary_cross_entropy_with_logits(scores, image_labels.to(scores))
