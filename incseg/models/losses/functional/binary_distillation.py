from torch import Tensor

from incseg.models.losses.functional.binary_cross_entropy import softplus
from incseg.models.losses.functional.distillation import check_shapes
from incseg.models.losses.functional.precision import at_least_float32


def binary_distillation(logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """Binary cross-entropy to the teacher's sigmoids, summed over its classes.

    A pixel's term is ``sum_{c<K} log(1 + exp(z_c)) - sigmoid(z°_c) z_c``.
    Every class stands by itself, the background too, so nothing is said about
    the new ones.

    Args:
        logits: Student, ``(N, C, H, W)``, before the sigmoid.
        teacher_logits: Teacher, ``(N, K, H, W)``, ``K <= C``, likewise.  Gets no
            gradient.

    Returns:
        Scalar: summed over the ``K`` classes, the mean over all pixels.

    Raises:
        ValueError: If the shapes do not fit.

    Source: Rebuffi et al., CVPR 2017, algorithm 3, as used for segmentation by
    Cermelli et al. (MiB), whose code multiplies a mean over the classes by ``K``.
    """
    num_old = check_shapes(logits, teacher_logits)
    old = at_least_float32(logits)[:, :num_old]
    teacher = at_least_float32(teacher_logits.detach()).sigmoid()
    return (softplus(old) - teacher * old).sum(1).mean()
