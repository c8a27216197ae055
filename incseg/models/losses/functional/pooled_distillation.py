"""PLOP's distillation of pooled maps."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from incseg.utils.precision import at_least_float32
from incseg.utils.rules import expected


def pooled_distillation(
    student_maps: Sequence[Tensor],
    teacher_maps: Sequence[Tensor],
    num_old: int,
    factors: Sequence[float],
    scales: Sequence[int] = (1, 2, 4),
) -> Tensor:
    """Return PLOP's local pooled output distillation over several layers.

    At each scale ``s`` a squared map is cut into ``s x s`` tiles.  The means of
    all rows and of all columns of all tiles are the map's embedding.  A layer's
    term is the Euclidean distance between the embeddings of student and teacher,
    per image, averaged over the batch.

    Tiles are ``H // s`` high and ``W // s`` wide, counted from the top left.
    The remaining rows and columns belong to no tile of that scale.  A scale with
    more tiles than the map has rows or columns is left out.  (Published code takes
    ``W // s`` for both sides; on square maps that is the same.)

    Args:
        student_maps: Per layer ``(N, C_i, H_i, W_i)``.
        teacher_maps: Maps of the same shapes, without gradient.  A layer of logits may
            have ``num_old`` channels and the student's layer more: the student's
            channels from ``num_old`` on are then added to its channel 0 before
            squaring, because the teacher took the new classes for background.
        num_old: Number of outputs before this step, the background included.
        factors: One factor per layer.
        scales: Tiles along each side.

    Returns:
        Scalar, float32 or wider: the factors times the layers' terms, summed
        and divided by the number of layers.  Its gradient is 0 where student
        and teacher are equal.

    Raises:
        ValueError: If the numbers of layers, or a layer's shapes, do not fit.

    Source: Douillard et al., "PLOP: Learning without Forgetting for Continual
    Semantic Segmentation", CVPR 2021, section 3.2.
    """
    if not student_maps or not len(student_maps) == len(teacher_maps) == len(factors):
        raise expected(
            'number of student_maps, teacher_maps and factors',
            (len(student_maps), len(teacher_maps), len(factors)),
            'one of each per layer, and at least one layer',
        )
    if not scales or min(scales) < 1:
        raise expected('scales', tuple(scales), 'one or more positive numbers')
    terms = []
    for factor, student, teacher in zip(factors, student_maps, teacher_maps):
        check_maps(student, teacher, num_old)
        with torch.autocast(student.device.type, enabled=False):
            teacher = at_least_float32(teacher.detach())
            student = as_teacher_sees(at_least_float32(student), teacher.shape[1])
            gap = student.square() - teacher.square()  # pooling is linear: once, on the difference
            distance = torch.linalg.vector_norm(strips(gap, tuple(scales)), dim=1)
            terms.append(factor * distance.mean())
    return torch.stack(terms).sum() / len(terms)


def as_teacher_sees(logits: Tensor, num_old: int) -> Tensor:
    """Add the channels of the new classes to the background's channel.

    Args:
        logits: ``(N, C, H, W)``, the background first, the new classes from ``num_old`` on.
        num_old: Number of channels to keep.

    Returns:
        ``(N, num_old, H, W)``; the logits themselves if they have that many channels.
    """
    if logits.shape[1] == num_old:
        return logits
    background = logits[:, :1] + logits[:, num_old:].sum(1, keepdim=True)
    return torch.cat([background, logits[:, 1:num_old]], 1)


def strips(x: Tensor, scales: tuple[int, ...]) -> Tensor:
    """Return the means of every tile's rows and columns at every scale.

    Args:
        x: ``(N, C, H, W)``.
        scales: Tiles along each side.

    Returns:
        ``(N, strips)``; the order depends on the device.
    """
    scales = tuple(s for s in scales if s <= min(x.shape[-2:]))
    if x.device.type == 'cpu':
        return strips_by_products(x, scales)
    return strips_by_means(x, scales)


def strips_by_means(x: Tensor, scales: tuple[int, ...]) -> Tensor:
    """Compute :func:`strips` by its definition, tile by tile; the arguments are the same."""
    parts = [x.new_zeros(len(x), 0)]
    for s in scales:
        height, width = x.shape[-2] // s, x.shape[-1] // s
        tiles = (
            x[..., : s * height, : s * width].unflatten(-1, (s, width)).unflatten(2, (s, height))
        )
        parts += [tiles.mean(-1).flatten(1), tiles.mean(3).flatten(1)]
    return torch.cat(parts, 1)


def strips_by_products(x: Tensor, scales: tuple[int, ...]) -> Tensor:
    """Compute :func:`strips` of all scales by two matrix products; the arguments are the same.

    Rows and columns that no tile covers are zeros.  The map is read twice instead of
    six times, and in its own layout where channels come last.
    """
    images, channels, height, width = x.shape
    x = x.permute(0, 2, 3, 1)
    across, down = (tile_means(side, scales, x.dtype) for side in (width, height))
    rows = (across @ x) * covered(height, scales, x.dtype).T.unsqueeze(-1)
    columns = (down @ x.reshape(images, height, -1)).view(images, -1, width, channels)
    columns = columns * covered(width, scales, x.dtype).unsqueeze(-1)
    return torch.cat([rows.flatten(1), columns.flatten(1)], 1)


@lru_cache(maxsize=64)
def tile_means(side: int, scales: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Return the matrix that takes the means of all tiles along one axis.

    Args:
        side: Number of pixels along the axis.
        scales: Numbers of tiles.
        dtype: Type of the result.

    Returns:
        ``(tiles of all scales, side)``; it is shared, so do not write to it.
    """
    matrix = torch.zeros(sum(scales), side, dtype=dtype)
    row = 0
    for s in scales:
        tile = side // s
        for i in range(s):
            matrix[row + i, i * tile : (i + 1) * tile] = 1 / tile
        row += s
    return matrix


@lru_cache(maxsize=64)
def covered(side: int, scales: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Return which positions along one axis belong to a tile, for each row of :func:`tile_means`.

    Returns:
        ``(tiles of all scales, side)``: 1 where any tile of that scale covers the position,
        else 0; shared, do not write to it.
    """
    return torch.cat(
        [(torch.arange(side) < side // s * s).to(dtype).expand(s, -1) for s in scales]
        or [torch.zeros(0, side, dtype=dtype)]
    )


def check_maps(student: Tensor, teacher: Tensor, num_old: int) -> None:
    """Refuse the maps of a layer that cannot be compared.

    Args:
        student, teacher: See :func:`pooled_distillation`.
        num_old: Number of outputs before this step, the background included.

    Raises:
        ValueError: Naming both shapes.
    """
    ours, theirs = student.shape, teacher.shape
    fits = len(ours) == len(theirs) == 4 and ours[:1] + ours[2:] == theirs[:1] + theirs[2:]
    if not fits or (ours[1] != theirs[1] and not (theirs[1] == num_old < ours[1])):
        raise expected(
            'shape of the maps of student and teacher',
            (tuple(ours), tuple(theirs)),
            f'(N, C, H, W) of the same shape, or num_old ({num_old}) channels of the teacher and '
            'more of the student',
        )
