"""Class activation maps: normalised, with a background, resized."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from incseg.utils.precision import at_least_float32

EPS = 1e-5


def max_norm(maps: Tensor) -> Tensor:
    """Scale each map of each image so that its lowest value is 0 and its highest almost 1.

    ``p = relu(maps)``, then ``relu(p - min p - 1e-5) / (max p - min p + 1e-5)``;
    the gradient passes through minimum and maximum too.

    Args:
        maps: ``(N, C, h, w)``; half types become float32.

    Returns:
        ``(N, C, h, w)`` of 0 to 1.

    Source: SEAM (Wang et al., CVPR 2020), the normalisation in its losses.
    """
    maps = at_least_float32(maps).relu()
    low = maps.amin((2, 3), keepdim=True)
    high = maps.amax((2, 3), keepdim=True)
    return (maps - low - EPS).relu() / (high - low + EPS)


def cam_scores(activations: Tensor) -> Tensor:
    """Return class activation maps as scores with a background.

    Each foreground map is divided by its maximum in the image.  The background is 1
    minus the best class.  Then every class but the best of a pixel is set to 0; the
    background stays soft.

    Args:
        activations: ``(N, C, h, w)`` of the foreground classes, raw; half types
            become float32.

    Returns:
        ``(N, 1 + C, h, w)`` in 0..1, background first.

    Source: SEAM (Wang et al., CVPR 2020), the input of its pixel correlation module.
    """
    positive = at_least_float32(activations).relu()
    peak = positive.amax((2, 3), keepdim=True) + EPS
    scores = (positive - EPS).relu() / peak
    return with_background(scores)


def with_background(scores: Tensor) -> Tensor:
    """Put a background before the classes, and set every class that is not a pixel's best to 0.

    Args:
        scores: ``(N, C, h, w)`` of 0 to 1; not changed.

    Returns:
        ``(N, 1 + C, h, w)``; the background is ``1 - best``.
    """
    best = scores.amax(1, keepdim=True)
    return torch.cat([1 - best, torch.where(scores < best, 0.0, scores)], 1)


def resize_corners(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Resize maps bilinearly, corner pixels on corner pixels (``align_corners=True``).

    Args:
        maps: ``(N, C, h, w)``; half types become float32.
        size: ``(H, W)`` of the result.

    Returns:
        ``(N, C, H, W)``.
    """
    maps = at_least_float32(maps)
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    return F.interpolate(maps, size=tuple(size), mode='bilinear', align_corners=True)
