"""Distillation of logits."""

import torch
from torch import Tensor

from incseg.models.losses.functional.binary_cross_entropy import softplus
from incseg.utils.precision import at_least_float32
from incseg.utils.rules import expected


def distillation(logits: Tensor, teacher_logits: Tensor, alpha: float = 1.0) -> Tensor:
    """Return the soft cross-entropy to the teacher over the teacher's own classes.

    The student's logits are cut to the first ``K`` channels and normalised
    over those, so the new classes do not enter the term.

    Args:
        logits: Student, ``(N, C, H, W)``, unnormalised.
        teacher_logits: Teacher, ``(N, K, H, W)``, ``K <= C``, unnormalised.  Gets no
            gradient.
        alpha: Factor on the teacher's logits before its softmax.

    Returns:
        Scalar, float32 or wider: the mean over pixels **and** the ``K`` classes
        (hence the weight of 100 that LwF and ILT use).

    Raises:
        ValueError: If the shapes do not fit.

    Source: Li and Hoiem, "Learning without Forgetting", as used for
    segmentation by Michieli and Zanuttigh (ILT) and Cermelli et al. (MiB).
    """
    num_old = num_teacher_outputs(logits, teacher_logits)
    teacher = (alpha * at_least_float32(teacher_logits.detach())).softmax(1)
    student = at_least_float32(logits)[:, :num_old].log_softmax(1)
    return -(teacher * student).sum(1).mean() / num_old


def unbiased_distillation(logits: Tensor, teacher_logits: Tensor, alpha: float = 1.0) -> Tensor:
    """Return the soft cross-entropy to a teacher whose background contains the new classes.

    The teacher's background probability is compared with the student's background
    *plus all new classes*; every old class is compared with itself.

    Args:
        logits: Student, ``(N, C, H, W)``, unnormalised, channel 0 the
            background, channels ``K..C-1`` the new classes.
        teacher_logits: Teacher, ``(N, K, H, W)``, unnormalised.  Gets no gradient.
        alpha: Factor on the teacher's logits before its softmax.

    Returns:
        Scalar, float32 or wider: the mean over all pixels, labelled or not, **and**
        the ``K`` classes.  It equals the teacher's entropy over ``K`` when the
        student is the teacher with background-balanced new classifiers.

    Raises:
        ValueError: If the shapes do not fit.

    Source: Cermelli et al., CVPR 2020, eq. 7 and 8.
    """
    num_old = num_teacher_outputs(logits, teacher_logits)
    logits = at_least_float32(logits)
    teacher = (alpha * at_least_float32(teacher_logits.detach())).softmax(1)
    background = torch.cat([logits[:, :1], logits[:, num_old:]], 1).logsumexp(1)
    total = logits.logsumexp(1)
    # sum_c q_c (z_c - lse) with the teacher's q summing to one
    matched = teacher[:, 0] * background + (teacher[:, 1:] * logits[:, 1:num_old]).sum(1)
    return (total - matched).mean() / num_old


def num_teacher_outputs(logits: Tensor, teacher_logits: Tensor) -> int:
    """Return ``K``, the number of the teacher's outputs, if the shapes of the logits fit.

    Args:
        logits: Student, ``(N, C, H, W)``.
        teacher_logits: Teacher, ``(N, K, H, W)``, ``1 <= K <= C``.

    Raises:
        ValueError: If the shapes do not fit, or there is no image.
    """
    student, teacher = logits.shape, teacher_logits.shape
    if student[:1] + student[2:] != teacher[:1] + teacher[2:]:
        raise expected(
            'shape of logits and teacher_logits',
            (tuple(student), tuple(teacher)),
            '(N, C, H, W) and (N, K, H, W) of the same N, H, W',
        )
    if not teacher[0]:
        raise expected('shape of teacher_logits', tuple(teacher), 'at least one image')
    if not 1 <= teacher[1] <= student[1]:
        raise expected(
            'number of classes of the teacher',
            teacher[1],
            f'1 to {student[1]} (those of the student)',
        )
    return teacher[1]


def binary_distillation(logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """Return the binary cross-entropy to the teacher's sigmoids, summed over its classes.

    A pixel's term is ``sum_{c<K} log(1 + exp(z_c)) - sigmoid(z°_c) z_c``.
    Every class is compared with itself, also the background, so the new classes
    do not enter the term.

    Args:
        logits: Student, ``(N, C, H, W)``, before the sigmoid.
        teacher_logits: Teacher, ``(N, K, H, W)``, ``K <= C``, before the sigmoid.  Gets no
            gradient.

    Returns:
        Scalar, float32 or wider: the sum over the ``K`` classes, then the mean over
        all pixels.

    Raises:
        ValueError: If the shapes do not fit.

    Source: Rebuffi et al., CVPR 2017, algorithm 3, as used for segmentation by
    Cermelli et al. (MiB), whose code multiplies a mean over the classes by ``K``.
    """
    num_old = num_teacher_outputs(logits, teacher_logits)
    old = at_least_float32(logits)[:, :num_old]
    teacher = at_least_float32(teacher_logits.detach()).sigmoid()
    return (softplus(old) - teacher * old).sum(1).mean()
