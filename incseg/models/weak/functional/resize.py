from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from incseg.models.losses.functional.precision import at_least_float32


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
