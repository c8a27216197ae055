from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from incseg.utils.precision import at_least_float32


def pooled_distillation(
    student_maps: Sequence[Tensor],
    teacher_maps: Sequence[Tensor],
    num_old: int,
    factors: Sequence[float],
    scales: Sequence[int] = (1, 2, 4),
) -> Tensor:
    """PLOP's local pooled output distillation: strips of squared activations, per layer.

    At each scale ``s`` a squared map is cut into ``s x s`` tiles, and the means
    of every tile's rows and columns are taken; all of them together are the
    map's embedding.  A layer's term is the Euclidean distance of student's and
    teacher's embedding, per image, averaged over the batch.

    Tiles are ``H // s`` high and ``W // s`` wide, counted from the top left;
    what is left at the bottom and the right belongs to no tile of that scale,
    and a scale of more tiles than the map has rows or columns is left out.
    (Published code takes ``W // s`` for both; on square maps, divisible or
    not, that is the same.)

    Args:
        student_maps: Per layer ``(N, C_i, H_i, W_i)``.
        teacher_maps: The same; a layer may have fewer channels (logits), then
            it has ``num_old`` and the student's channels from ``num_old`` on
            are added to its channel 0 before squaring: to the teacher the new
            classes were background.  Gets no gradient.
        num_old: Number of outputs before this step, the background included.
        factors: Per layer, its factor.
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
        raise ValueError(
            f'{len(student_maps)} student_maps, {len(teacher_maps)} teacher_maps and '
            f'{len(factors)} factors, expected one of each per layer, and at least one layer'
        )
    if not scales or min(scales) < 1:
        raise ValueError(f'scales are {tuple(scales)}, allowed: one or more positive numbers')
    terms = []
    for factor, student, teacher in zip(factors, student_maps, teacher_maps):
        check_shapes(student, teacher, num_old)
        with torch.autocast(student.device.type, enabled=False):
            teacher = at_least_float32(teacher.detach())
            student = as_teacher_sees(at_least_float32(student), teacher.shape[1])
            gap = student.square() - teacher.square()  # pooling is linear: once, on the difference
            distance = torch.linalg.vector_norm(strips(gap, tuple(scales)), dim=1)
            terms.append(factor * distance.mean())
    return torch.stack(terms).sum() / len(terms)


def as_teacher_sees(logits: Tensor, num_old: int) -> Tensor:
    """New classes added to the background: ``(N, C, H, W)`` -> ``(N, num_old, H, W)``."""
    if logits.shape[1] == num_old:
        return logits
    background = logits[:, :1] + logits[:, num_old:].sum(1, keepdim=True)
    return torch.cat([background, logits[:, 1:num_old]], 1)


def strips(x: Tensor, scales: tuple[int, ...]) -> Tensor:
    """Means of every tile's rows and columns at every scale, ``(N, C, H, W)`` -> ``(N, strips)``.

    The order is of no meaning.
    """
    scales = tuple(s for s in scales if s <= min(x.shape[-2:]))
    if x.device.type == 'cpu':
        return strips_by_products(x, scales)
    return strips_by_means(x, scales)


def strips_by_means(x: Tensor, scales: tuple[int, ...]) -> Tensor:
    """As the definition says, tile by tile."""
    found = [x.new_zeros(len(x), 0)]
    for s in scales:
        height, width = x.shape[-2] // s, x.shape[-1] // s
        tiles = (
            x[..., : s * height, : s * width].unflatten(-1, (s, width)).unflatten(2, (s, height))
        )
        found += [tiles.mean(-1).flatten(1), tiles.mean(3).flatten(1)]
    return torch.cat(found, 1)


def strips_by_products(x: Tensor, scales: tuple[int, ...]) -> Tensor:
    """All scales at once, two products of matrices; with zeros for what no tile covers.

    The map is read twice instead of six times, and in its own layout where
    channels come last.
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
    """``(tiles of all scales, side)``: the mean over each tile.  Shared: do not write to it."""
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
    """``(tiles of all scales, side)``: 1 where the tile's scale covers that row or column."""
    return torch.cat(
        [(torch.arange(side) < side // s * s).to(dtype).expand(s, -1) for s in scales]
        or [torch.zeros(0, side, dtype=dtype)]
    )


def check_shapes(student: Tensor, teacher: Tensor, num_old: int) -> None:
    ours, theirs = student.shape, teacher.shape
    fits = len(ours) == len(theirs) == 4 and ours[:1] + ours[2:] == theirs[:1] + theirs[2:]
    if not fits or (ours[1] != theirs[1] and not (theirs[1] == num_old < ours[1])):
        raise ValueError(
            f'maps {tuple(ours)} of the student and {tuple(theirs)} of the teacher do not fit: '
            f'expected (N, C, H, W) of the same shape, or num_old ({num_old}) channels of the '
            'teacher and more of the student'
        )
