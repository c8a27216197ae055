"""Cross-entropy and distillation in one pass: in Triton, by rows on a CPU, or plainly."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from incseg.models.losses.functional.cross_entropy import (
    check_image_weight,
    check_target,
    unbiased_cross_entropy,
)
from incseg.models.losses.functional.distillation import (
    distillation,
    num_teacher_outputs,
    unbiased_distillation,
)
from incseg.models.losses.fused.gpu_support import can_launch
from incseg.models.losses.fused.row_chunks import RowChunks
from incseg.structures.network_outputs import upsample
from incseg.utils.precision import at_least_float32
from incseg.utils.rules import expected


def fused_incremental_loss(
    logits: Tensor,
    teacher_logits: Tensor | None,
    target: Tensor,
    num_old: int,
    distillation_weight: float = 1.0,
    alpha: float = 1.0,
    ignore_index: int = 255,
) -> Tensor:
    """Return MiB's loss from low-resolution logits, without a full-size tensor.

    Equal to upsampling both logits to the target's size (bilinear,
    ``align_corners=False``) and adding :func:`unbiased_cross_entropy` and
    ``distillation_weight`` times :func:`unbiased_distillation`.

    Args:
        logits: Student, ``(N, C, h, w)``, unnormalised.
        teacher_logits: Teacher, ``(N, K, h, w)``, unnormalised; None for no
            distillation.  Gets no gradient.
        target: ``(N, H, W)``, integer train ids.
        num_old: Number of outputs before this step, the background included;
            0 and 1 make the cross-entropy the ordinary one.
        distillation_weight: Factor on the distillation.
        alpha: Factor on the teacher's logits before its softmax.
        ignore_index: Pixels with this label add nothing to the cross-entropy.

    Returns:
        Scalar, float32 or wider.

    Raises:
        ValueError: If the shapes do not fit, there is no image, ``num_old > C``,
            tensors lie on several devices, or a label is neither a channel nor ignored; on a
            GPU the result is NaN then.

    Source: Cermelli et al., CVPR 2020, eq. 5 to 8.
    """
    cross_entropy, distilled = fused_losses(
        logits, teacher_logits, target, num_old=num_old, alpha=alpha, ignore_index=ignore_index
    )
    if teacher_logits is None:
        return cross_entropy
    return cross_entropy + distillation_weight * distilled


def fused_losses(
    logits: Tensor,
    teacher_logits: Tensor | None = None,
    target: Tensor | None = None,
    *,
    size: tuple[int, int] | None = None,
    num_old: int = 0,
    alpha: float = 1.0,
    unbiased: bool = True,
    ignore_index: int = 255,
    image_weight: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy and the distillation of upsampled logits, from one pass.

    Args:
        logits: Student, ``(N, C, h, w)``.
        teacher_logits: Teacher, ``(N, K, h, w)``; None for no distillation.
        target: ``(N, H, W)``; None for no cross-entropy.
        size: ``(H, W)`` to which logits are upsampled; ignored if there is a target, whose
            size is taken.
        num_old, alpha, ignore_index: See :func:`fused_incremental_loss`.
        unbiased: Whether the distillation is :func:`unbiased_distillation`,
            else :func:`distillation`.
        image_weight: ``(N,)``, a factor on each image's cross-entropy; the
            distillation does not depend on it.  Gets no gradient.

    Returns:
        Two scalars, float32 or wider: cross-entropy and distillation.  A term without
        target or teacher is zero.

    Raises:
        ValueError: As :func:`fused_incremental_loss`; also without target and teacher,
            or without target and size.
    """
    check_arguments(logits, teacher_logits, target, num_old, ignore_index)
    if target is not None:
        size = (target.shape[-2], target.shape[-1])
    elif size is None:
        raise ValueError('fused_losses() needs a target or a size')
    logits = at_least_float32(logits)
    if teacher_logits is not None:
        teacher_logits = alpha * teacher_logits.detach().to(logits.dtype)
    if image_weight is not None:
        image_weight = check_image_weight(image_weight, logits)
    arguments = (
        logits,
        teacher_logits,
        target,
        size,
        num_old,
        unbiased,
        ignore_index,
        image_weight,
    )
    num_teacher = 0 if teacher_logits is None else teacher_logits.shape[1]
    if not has_one_pass(logits, num_teacher, num_old, size):
        return plain_losses(*arguments)
    with torch.autocast(logits.device.type, enabled=False):
        return _OnePass.apply(*arguments)


def plain_losses(
    logits: Tensor,
    teacher_logits: Tensor | None,
    target: Tensor | None,
    size: tuple[int, int],
    num_old: int,
    unbiased: bool,
    ignore_index: int,
    image_weight: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the two scalars of :func:`fused_losses`, computed from full-size logits.

    It is the reference for tests, and used where there is no other form.  The arguments are
    those of :func:`fused_losses`, the teacher's logits already multiplied by ``alpha``.
    """
    logits = upsample(logits, size)
    cross_entropy = distilled = logits.new_zeros(())
    if target is not None:
        cross_entropy = unbiased_cross_entropy(logits, target, num_old, ignore_index, image_weight)
    if teacher_logits is not None:
        compare = unbiased_distillation if unbiased else distillation
        distilled = compare(logits, upsample(teacher_logits, size))
    return cross_entropy, distilled


def has_one_pass(logits: Tensor, num_teacher: int, num_old: int, size: tuple[int, int]) -> bool:
    """Say whether the losses can be computed without full-size logits.

    They can on a CPU, and on a GPU if Triton can launch kernels and ours serves the arguments;
    not if the logits have the full size already.

    Args:
        logits: ``(N, C, h, w)``.
        num_teacher: The teacher's outputs; 0 without distillation.
        num_old: Number of the first outputs that the cross-entropy adds up to the background.
        size: ``(H, W)`` to which the logits are upsampled.
    """
    if tuple(logits.shape[-2:]) == tuple(size):
        return False
    if logits.is_cuda and can_launch(logits.device):
        from incseg.models.losses.fused.triton_losses import serves

        return serves(logits, num_teacher, num_old, size)
    return logits.device.type == 'cpu'


class _OnePass(torch.autograd.Function):
    """Autograd function that computes the gradients together with the losses.

    The backward pass only multiplies them by the incoming gradients.
    """

    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        teacher_logits: Tensor | None,
        target: Tensor | None,
        size: tuple[int, int],
        num_old: int,
        unbiased: bool,
        ignore_index: int,
        image_weight: Tensor | None,
    ) -> Any:
        arguments = (num_old, unbiased, ignore_index, ctx.needs_input_grad[0])
        if logits.is_cuda:
            from incseg.models.losses.fused.triton_losses import losses_in_triton

            losses = losses_in_triton(
                logits, teacher_logits, target, size, *arguments, image_weight
            )
        else:
            num_teacher = 0 if teacher_logits is None else teacher_logits.shape[1]
            chunks = RowChunks(logits.shape[1], num_teacher, *arguments)
            losses = chunks.run(logits, teacher_logits, target, size, image_weight)
        ctx.save_for_backward(losses.cross_entropy_grad, losses.distillation_grad)
        zero = logits.new_zeros(())
        return tuple(
            zero.clone() if loss is None else loss
            for loss in (losses.cross_entropy, losses.distillation)
        )

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *upstream: Tensor) -> Any:
        terms = [
            factor * grad for factor, grad in zip(upstream, ctx.saved_tensors) if grad is not None
        ]
        return sum(terms[1:], terms[0]), *(None,) * 7


def check_arguments(
    logits: Tensor,
    teacher_logits: Tensor | None,
    target: Tensor | None,
    num_old: int,
    ignore_index: int,
) -> None:
    """Refuse arguments of :func:`fused_losses` that do not fit each other.

    Raises:
        ValueError: Naming the argument.
    """
    if target is None and teacher_logits is None:
        raise ValueError('fused_losses() needs a target or teacher_logits')
    if logits.ndim != 4:
        raise expected('shape of logits', tuple(logits.shape), '(N, C, h, w)')
    if target is not None and (target.ndim != 3 or len(target) != len(logits)):
        raise expected(
            'shape of logits and target',
            (tuple(logits.shape), tuple(target.shape)),
            '(N, C, h, w) and (N, H, W)',
        )
    for name, other in (('target', target), ('teacher_logits', teacher_logits)):
        if other is not None and other.device != logits.device:
            raise expected(
                f'device of {name}', f'{other.device}', f'that of logits, {logits.device}'
            )
    if target is not None:
        check_target(target, logits.shape[1], ignore_index)
    if not 0 <= num_old <= logits.shape[1]:
        raise expected('num_old', num_old, f'0 to {logits.shape[1]} (the channels)')
    if teacher_logits is not None:
        num_teacher_outputs(logits, teacher_logits)
