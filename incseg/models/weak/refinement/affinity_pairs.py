"""AffinityNet's training labels, and its pairs of close pixels."""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from incseg.constants import VOID

STRIDE = 8
LEAST = 1e-5


def affinity_labels(ids: Sequence[int], strong: Tensor, weak: Tensor) -> Tensor:
    """Return the class of each block of pixels on which two sets of scores leave no doubt.

    Scores are averaged over blocks of 8x8.  A block whose best score is a class although
    the background is strong gets that class.  A block whose best score is the background
    although the background is weak gets 0.  Other blocks, and blocks without any
    score, are ignored.

    Args:
        ids: Dataset ids of the channels, 0 first.
        strong: Scores ``(1 + k, H, W)``, made with the background ``(1 - best) ** 4``.
        weak: Scores ``(1 + k, H, W)``, made with the background ``(1 - best) ** 24``.

    Returns:
        uint8 ``(ceil(H / 8), ceil(W / 8))``: dataset ids, 255 = ignored.

    Source: Ahn and Kwak, AffinityNet, CVPR 2018, section 3.2.
    """
    small = [F.avg_pool2d(scores[None], STRIDE, ceil_mode=True)[0] for scores in (strong, weak)]
    names = torch.as_tensor(list(ids), dtype=torch.uint8, device=strong.device)
    label = names[small[0].argmax(0)]
    label[label == 0] = VOID
    label[small[1].argmax(0) == 0] = 0
    label[torch.maximum(small[0].amax(0), small[1].amax(0)) < LEAST] = VOID
    return label


RADIUS = 5
#: least radius with neighbours
LEAST_RADIUS = 2


def fitting_radius(size: tuple[int, int], radius: int = RADIUS) -> int:
    """Return the radius within which pixels of a map are paired: smaller on a small map.

    On a map whose shorter edge is ``n < 2 radius + 1`` the radius is ``(n - 1) // 2``, as
    in the published random walk; here also in training.  It is 3 on a map of 8 x 8, of
    an image of 64 x 64 pixels.  It is at least 2; on maps with an edge of 4 or less the
    published code stops with an error.

    Args:
        size: ``(h, w)`` of the map.
        radius: Distance within which pixels are paired, in larger maps.
    """
    edge = min(size)
    return radius if edge > 2 * radius else max((edge - 1) // 2, LEAST_RADIUS)


def has_pairs(size: tuple[int, int], radius: int = RADIUS) -> bool:
    """Tell whether a map has at least one pair of pixels.

    With the smallest radius, to which small maps fall back, that takes 2 rows and 3
    columns.

    Args:
        size: ``(h, w)`` of the map.
        radius: Distance within which pixels are paired, in larger maps.
    """
    rows, columns = sources(size, fitting_radius(size, radius))
    return rows.stop > rows.start and columns.stop > columns.start


def offsets(radius: int = RADIUS) -> list[tuple[int, int]]:
    """Return the steps ``(dy, dx)`` from a pixel to the neighbours that it is paired with.

    They are shorter than the radius.  Of two opposite ones only that down, or to the right, is
    returned: 34 for a radius of 5.
    """
    reach = radius - 1
    return [
        (dy, dx)
        for dy in range(radius)
        for dx in range(-reach, radius)
        if 0 < dy**2 + dx**2 < radius**2 and (dy > 0 or dx > 0)
    ]


def sources(size: tuple[int, int], radius: int = RADIUS) -> tuple[slice, slice]:
    """Return the rows and the columns of the pixels that are the first of a pair.

    All their neighbours (see :func:`offsets`: below, and to both sides within
    ``radius``) lie inside a map.

    Args:
        size: ``(h, w)`` of the map.
        radius: Distance within which pixels are paired.
    """
    reach = radius - 1
    return slice(0, max(size[0] - reach, 0)), slice(reach, max(size[1] - reach, reach))


def pixel_pairs(maps: Tensor, radius: int = RADIUS) -> tuple[Tensor, Iterator[Tensor]]:
    """Return the values of the source pixels, and those of their neighbours at each offset.

    Args:
        maps: ``(…, h, w)``.
        radius: Neighbours are nearer than this number of pixels of the map; on a small
            map nearer than its :func:`fitting_radius`.

    Returns:
        ``(…, s)`` for s sources, and an iterator over P such tensors for P offsets.
    """
    size = (maps.shape[-2], maps.shape[-1])
    radius = fitting_radius(size, radius)
    rows, columns = sources(size, radius)
    neighbours = (
        maps[..., rows.start + dy : rows.stop + dy, columns.start + dx : columns.stop + dx].flatten(
            -2
        )
        for dy, dx in offsets(radius)
    )
    return maps[..., rows, columns].flatten(-2), neighbours


def pixel_affinities(features: Tensor, radius: int = RADIUS) -> Tensor:
    """Return the affinities ``exp(-mean over channels of |f_i - f_j|)`` of close pixels.

    Args:
        features: ``(N, C, h, w)``.
        radius: Neighbours are nearer than this, see :func:`pixel_pairs`.

    Returns:
        ``(N, P, s)`` of 0 to 1: for each of P offsets, s pairs of pixels.

    Source: Ahn and Kwak, AffinityNet, CVPR 2018, equation 3.
    """
    source, neighbours = pixel_pairs(features, radius)
    distances = [(source - neighbour).abs().mean(1) for neighbour in neighbours]
    return (-torch.stack(distances, 1)).exp()
