from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from incseg.utils.precision import at_least_float32

EPS = 1e-5


def max_norm(maps: Tensor) -> Tensor:
    """Each map of each image from its lowest value to its highest, as 0 to 1.

    ``p = relu(maps)``, then ``relu(p - min p - 1e-5) / (max p - min p + 1e-5)``;
    the gradient passes through minimum and maximum too.

    Args:
        maps: ``(N, C, h, w)``; half types become float32.

    Source: SEAM (Wang et al., CVPR 2020), the normalisation in its losses.
    """
    maps = at_least_float32(maps).relu()
    low = maps.amin((2, 3), keepdim=True)
    high = maps.amax((2, 3), keepdim=True)
    return (maps - low - EPS).relu() / (high - low + EPS)


def cam_scores(activations: Tensor) -> Tensor:
    """Class activation maps as scores with a background.

    Each foreground map is divided by its maximum in the image; the background
    is what the best class leaves of 1; then every class but the best of a
    pixel is set to 0.  The background stays soft.

    Args:
        activations: ``(N, C, h, w)`` of the foreground classes, raw; half types
            become float32.

    Returns:
        ``(N, 1 + C, h, w)`` in 0..1, background first.

    Source: SEAM, what its pixel correlation module refines.
    """
    positive = at_least_float32(activations).relu()
    peak = positive.amax((2, 3), keepdim=True) + EPS
    scores = (positive - EPS).relu() / peak
    return with_background(scores)


def with_background(scores: Tensor) -> Tensor:
    """Put ``1 - best`` before the classes ``(N, C, h, w)``, and 0 where a class is not the best."""
    best = scores.amax(1, keepdim=True)
    return torch.cat([1 - best, torch.where(scores < best, 0.0, scores)], 1)


def resize_corners(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear, corner pixels on corner pixels (``align_corners=True``), as SEAM resizes.

    Args:
        maps: ``(N, C, h, w)``; half types become float32.
        size: ``(H, W)`` of the result.
    """
    maps = at_least_float32(maps)
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    return F.interpolate(maps, size=tuple(size), mode='bilinear', align_corners=True)
