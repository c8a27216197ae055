"""Scores spread along affinities between pixels."""
import torch
from torch import Tensor

from incseg.models.weak.refinement.affinity_pairs import (
    RADIUS,
    fitting_radius,
    offsets,
    sources,
)


def transition_matrix(
    affinities: Tensor, size: tuple[int, int], exponent: float = 8., radius: int = RADIUS
) -> Tensor:
    """One step of the walk: column ``j`` says where the score of pixel ``j`` comes from.

    Pairs that are not compared have affinity 0, a pixel with itself 1, and the
    matrix is symmetric; each entry is raised to ``exponent``, which drops weak
    ties, and each column divided by its sum.

    Args:
        affinities: ``(P, s)``, see :func:`pixel_affinities`.
        size: ``(h, w)`` of the map.
        exponent: beta.
        radius: that of the affinities.

    Returns:
        ``(h w, h w)``, columns sum to 1.

    Source: Ahn and Kwak, AffinityNet, CVPR 2018, equation 7.
    """
    height, width = size
    radius = fitting_radius(size, radius)
    places = torch.arange(height * width, device=affinities.device).view(height, width)
    rows, columns = sources(size, radius)
    source = places[rows, columns].flatten()
    matrix = torch.eye(height * width, dtype=affinities.dtype, device=affinities.device)
    for (dy, dx), affinity in zip(offsets(radius), affinities ** exponent, strict=True):
        neighbour = source + dy * width + dx
        matrix[source, neighbour] = affinity
        matrix[neighbour, source] = affinity
    return matrix / matrix.sum(0, keepdim=True)


def random_walk(scores: Tensor, transition: Tensor, doublings: int = 6) -> Tensor:
    """``scores T^(2^doublings)``, by squaring ``T`` again and again.

    Args:
        scores: ``(C, h, w)``.
        transition: ``(h w, h w)``.
        doublings: 6 for 64 steps.
    """
    for _ in range(doublings):
        transition = transition @ transition
    return (scores.flatten(1) @ transition).view_as(scores)
