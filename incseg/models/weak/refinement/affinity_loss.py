from torch import Tensor

from incseg.models.weak.refinement.affinity_labels import IGNORED
from incseg.models.weak.refinement.affinity_pairs import RADIUS, pixel_pairs

EPSILON = 1e-5


def affinity_loss(affinities: Tensor, labels: Tensor, radius: int = RADIUS) -> Tensor:
    """Cross-entropy of "same class" over pixel pairs, each kind of pair by itself.

    ``L_bg / 4 + L_fg / 4 + L_neg / 2``: pairs within the background, within one
    class, and of different classes; each is a mean over its pairs.

    Args:
        affinities: ``(N, P, s)`` of 0 to 1, see :func:`pixel_affinities`.
        labels: ``(N, h, w)``, 255 = ignored.
        radius: that of the affinities.

    Returns:
        A scalar.

    Source: Ahn and Kwak, AffinityNet, CVPR 2018, equations 4 to 6.
    """
    source, neighbour = pixel_pairs(labels, radius)
    known = (source != IGNORED) & (neighbour != IGNORED)
    same = known & (source == neighbour)
    background = same & (source == 0)
    alike, unlike = -(affinities + EPSILON).log(), -(1 + EPSILON - affinities).log()
    return (_mean(alike, background) / 4 + _mean(alike, same & ~background) / 4
            + _mean(unlike, known & ~same) / 2)


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    """Mean over what is chosen; 0 where nothing is."""
    return (values * chosen).sum() / (chosen.sum() + EPSILON)
