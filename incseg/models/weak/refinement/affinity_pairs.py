"""Pairs of neighbouring pixels, as AffinityNet compares them."""
import torch
from torch import Tensor

RADIUS = 5


def offsets(radius: int = RADIUS) -> list[tuple[int, int]]:
    """``(dy, dx)`` within a radius, each pair of directions once: 34 for a radius of 5."""
    reach = radius - 1
    return [(dy, dx) for dy in range(radius) for dx in range(-reach, radius)
            if 0 < dy ** 2 + dx ** 2 < radius ** 2 and (dy > 0 or dx > 0)]


def sources(size: tuple[int, int], radius: int = RADIUS) -> tuple[slice, slice]:
    """Rows and columns of the pixels that have every neighbour within the map."""
    reach = radius - 1
    return slice(0, max(size[0] - reach, 0)), slice(reach, max(size[1] - reach, reach))


def pixel_pairs(maps: Tensor, radius: int = RADIUS) -> tuple[Tensor, Tensor]:
    """Values of the sources and of their neighbours.

    Args:
        maps: ``(…, h, w)``.
        radius: neighbours are nearer than this, in pixels of the map.

    Returns:
        ``(…, 1, s)`` and ``(…, P, s)``: ``s`` sources, ``P`` offsets.
    """
    rows, columns = sources((maps.shape[-2], maps.shape[-1]), radius)
    neighbours = [
        maps[..., rows.start + dy:rows.stop + dy, columns.start + dx:columns.stop + dx].flatten(-2)
        for dy, dx in offsets(radius)]
    return maps[..., rows, columns].flatten(-2).unsqueeze(-2), torch.stack(neighbours, -2)


def pixel_affinities(features: Tensor, radius: int = RADIUS) -> Tensor:
    """``a = exp(-mean over channels of |f_i - f_j|)``, ``(N, P, s)``, from ``(N, C, h, w)``.

    Source: Ahn and Kwak, AffinityNet, CVPR 2018, equation 3.
    """
    rows, columns = sources((features.shape[-2], features.shape[-1]), radius)
    source = features[..., rows, columns].flatten(-2)
    found = []
    for dy, dx in offsets(radius):  # one after the other: all at once would need P times the memory
        neighbour = features[..., rows.start + dy:rows.stop + dy,
                             columns.start + dx:columns.stop + dx].flatten(-2)
        found.append((-(source - neighbour).abs().mean(1)).exp())
    return torch.stack(found, 1)
