"""The fused losses on a GPU: start the kernel and add up its results."""

from collections.abc import Sequence
from math import prod

import torch
import triton
from torch import Tensor

from incseg.models.losses.fused.row_chunks import FusedLosses
from incseg.models.losses.fused.triton_kernel import cell_losses

#: channels that a program holds at once, where its pixels are few
BLOCK = 16
#: pixels times channels that a program holds at once
CELL = 2048
#: programs along the second and the third axis of a GPU's grid
GRID = 65535
#: the first number that the kernel's 32-bit arithmetic cannot hold
INT32 = 2**31
#: pixels of the largest cell that fits into a program's registers
LARGEST_CELL = 1024


def serves(logits: Tensor, num_teacher: int, num_old: int, size: tuple[int, int]) -> bool:
    """Say whether the kernel can compute the losses.

    It needs float32, logits that are not larger than ``size``, not more than
    :data:`LARGEST_CELL` pixels between four of them, and with a teacher a ``num_old`` of 0, 1 or
    the number of the teacher's outputs.

    Args:
        logits: ``(N, C, h, w)``.
        num_teacher: The teacher's outputs; 0 without distillation.
        num_old: Number of the first outputs that the cross-entropy adds up to the background.
        size: ``(H, W)`` to which the logits are upsampled.
    """
    low = logits.shape[-2:]
    return (
        logits.dtype is torch.float32
        and all(small <= large for small, large in zip(low, size))
        and all(2 * small * large < INT32 - small for small, large in zip(low, size))
        and max(len(logits), low[0] + 1) <= GRID
        and prod(cell_size(low, size)) <= LARGEST_CELL
        and (num_teacher == 0 or num_old in (0, 1, num_teacher))
    )


def cell_size(low: Sequence[int], full: Sequence[int]) -> tuple[int, ...]:
    """Return the rows and columns of the pixels between four logits, powers of 2.

    Args:
        low: ``(h, w)`` of the logits.
        full: ``(H, W)`` to which they are upsampled.
    """
    return tuple(triton.next_power_of_2(-(-large // small)) for small, large in zip(low, full))


def num_warps(pixels: int) -> int:
    """Return the warps of a program: about eight values a thread, without a warp for no value.

    Args:
        pixels: Pixels of a cell, a power of 2.
    """
    return 8 if pixels > 64 else max(1, pixels // 16)


def losses_in_triton(
    logits: Tensor,
    teacher_logits: Tensor | None,
    target: Tensor | None,
    size: tuple[int, int],
    num_old: int,
    unbiased: bool,
    ignore_index: int,
    need_grad: bool,
    image_weight: Tensor | None = None,
) -> FusedLosses:
    """Return the losses and gradients of :meth:`RowChunks.run`, computed on a GPU.

    The arguments are those of :class:`RowChunks` and :meth:`RowChunks.run`; :func:`serves` has
    to be True for them.  Tensors may have any strides.
    """
    images, channels, height, width = logits.shape
    cells = (images, height + 1, width + 1)
    has_labels, has_teacher = target is not None, teacher_logits is not None
    teacher = logits if teacher_logits is None else teacher_logits
    cut = teacher.shape[1] if has_teacher else max(num_old, 1)
    labels = logits if target is None else target.contiguous()
    terms = has_labels + has_teacher
    sums = logits.new_zeros(*cells, 2)
    rows, columns = cell_size(logits.shape[-2:], size)
    corners = logits.new_empty(*cells, terms, 2, 2, channels) if need_grad else sums
    with torch.cuda.device_of(logits):  # Triton launches on the current GPU
        cell_losses[(width + 1, height + 1, images)](
            logits,
            teacher,
            labels,
            sums,
            corners,
            *logits.stride(),
            *teacher.stride(),
            height,
            width,
            *size,
            ignore_index,
            channels,
            cut,
            num_old if num_old > 1 else 0,
            UNBIASED=unbiased,
            LABELS=has_labels,
            TEACHER=has_teacher,
            GRAD=need_grad,
            ROWS=rows,
            COLUMNS=columns,
            BLOCK=max(2, min(BLOCK, CELL // (rows * columns))),
            num_warps=num_warps(rows * columns),
        )
    pixels = images * size[0] * size[1]
    totals = sums.sum((1, 2), dtype=torch.float64)
    if image_weight is not None:
        totals[:, 0] *= image_weight
    cross_entropy, distilled = totals.sum(0)
    losses = FusedLosses(
        cross_entropy=(cross_entropy / pixels).float() if has_labels else None,
        distillation=(distilled / (pixels * cut)).float() if has_teacher else None,
    )
    if need_grad:
        grads = fold_corners(corners).unbind(3)  # (N, h, w, terms, C)
        if has_labels:
            grad = grads[0] / pixels
            if image_weight is not None:
                grad *= image_weight[:, None, None, None]
            losses.cross_entropy_grad = grad.permute(0, 3, 1, 2)
        if has_teacher:
            losses.distillation_grad = (grads[-1] / (pixels * cut)).permute(0, 3, 1, 2)
    return losses


def fold_corners(corners: Tensor) -> Tensor:
    """Add up the gradients at the corners of the cells to those of the low-resolution logits.

    A cell is the area between four neighbouring logits; each logit is a corner of four cells.

    Args:
        corners: ``(N, h + 1, w + 1, terms, 2, 2, C)``, top before bottom, left
            before right.

    Returns:
        ``(N, h, w, terms, C)``.
    """
    top, bottom = corners.unbind(4)
    rows = top[:, 1:] + bottom[:, :-1]
    rows[:, 0] += top[:, 0]
    rows[:, -1] += bottom[:, -1]
    left, right = rows.unbind(4)
    folded = left[:, :, 1:] + right[:, :, :-1]
    folded[:, :, 0] += left[:, :, 0]
    folded[:, :, -1] += right[:, :, -1]
    return folded
