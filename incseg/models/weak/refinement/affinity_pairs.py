"""What AffinityNet learns from: labels that two sets of refined scores are sure of."""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from incseg.constants import VOID

STRIDE = 8
LEAST = 1e-5


def affinity_labels(ids: Sequence[int], strong: Tensor, weak: Tensor) -> Tensor:
    """Classes by the scores with a strong background, background by those with a weak one.

    Scores are averaged over blocks of 8x8.  A block whose best score with the
    strong background is a class gets that class; one whose best score with the
    weak background is the background gets 0; the others, and those without any
    score, are ignored.

    Args:
        ids: dataset ids of the channels, 0 first.
        strong: ``(1 + k, H, W)``, made with background power 4.
        weak: the same with power 24.

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
#: the least that has neighbours
LEAST_RADIUS = 2


def fitting_radius(size: tuple[int, int], radius: int = RADIUS) -> int:
    """The radius on a map ``(h, w)``: smaller where ``2 radius + 1`` pixels do not fit into it.

    A map whose shorter edge is ``n < 2 radius + 1`` has ``(n - 1) // 2``, as
    the published code has it when it walks, here in training, too.  That is 3
    for 8 x 8, the map of an image of 64 x 64 pixels.  It never falls below 2:
    on maps of edge 4 and less the published code stops with an error.
    """
    edge = min(size)
    return radius if edge > 2 * radius else max((edge - 1) // 2, LEAST_RADIUS)


def has_pairs(size: tuple[int, int], radius: int = RADIUS) -> bool:
    """Whether a map is large enough for one pair: 2 rows and 3 columns."""
    rows, columns = sources(size, fitting_radius(size, radius))
    return rows.stop > rows.start and columns.stop > columns.start


def offsets(radius: int = RADIUS) -> list[tuple[int, int]]:
    """``(dy, dx)`` within a radius, each pair of directions once: 34 for a radius of 5."""
    reach = radius - 1
    return [
        (dy, dx)
        for dy in range(radius)
        for dx in range(-reach, radius)
        if 0 < dy**2 + dx**2 < radius**2 and (dy > 0 or dx > 0)
    ]


def sources(size: tuple[int, int], radius: int = RADIUS) -> tuple[slice, slice]:
    """Rows and columns of the pixels that have every neighbour within the map."""
    reach = radius - 1
    return slice(0, max(size[0] - reach, 0)), slice(reach, max(size[1] - reach, reach))


def pixel_pairs(maps: Tensor, radius: int = RADIUS) -> tuple[Tensor, Iterator[Tensor]]:
    """Values of the sources, and one after the other those at each offset from them.

    Args:
        maps: ``(…, h, w)``.
        radius: neighbours are nearer than this, in pixels of the map; on a
            small map than its :func:`fitting_radius`.

    Returns:
        ``(…, s)``, and P times the same for P offsets.
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
    """``a = exp(-mean over channels of |f_i - f_j|)``, ``(N, P, s)``, from ``(N, C, h, w)``.

    P offsets and s sources are those of :func:`pixel_pairs`.

    Source: Ahn and Kwak, AffinityNet, CVPR 2018, equation 3.
    """
    source, neighbours = pixel_pairs(features, radius)
    distances = [(source - neighbour).abs().mean(1) for neighbour in neighbours]
    return (-torch.stack(distances, 1)).exp()
