from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=64)
def bilinear_matrix(source: int, target: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Bilinear resizing of one axis as a matrix ``(target, source)``.

    ``align_corners=False``: sample ``y`` of the target lies at
    ``(y + 1/2) * source / target - 1/2`` of the source, clamped to its ends.
    Rows sum to one and have at most two entries.  On CPU; do not write to it,
    it is shared.
    """
    position = ((torch.arange(target, dtype=torch.float64) + .5) * (source / target) - .5)
    position = position.clamp(0, source - 1)
    low = position.floor().long()
    high = (low + 1).clamp(max=source - 1)
    matrix = torch.zeros(target, source, dtype=torch.float64)
    rows = torch.arange(target)
    matrix.index_put_((rows, low), 1 - (position - low), accumulate=True)
    matrix.index_put_((rows, high), position - low, accumulate=True)
    return matrix.to(dtype)


def source_rows(source: int, target: int, start: int, stop: int) -> slice:
    """The source rows that target rows ``start..stop-1`` read."""
    used = bilinear_matrix(source, target)[start:stop].any(0).nonzero()
    return slice(int(used[0]), int(used[-1]) + 1)


def widen(logits: Tensor, across: Tensor) -> Tensor:
    """``(C, h, w)`` -> ``(h, C * W)``: resized along the width, rows first."""
    channels, height, width = logits.shape
    rows = logits.transpose(0, 1).reshape(height * channels, width)
    return (rows @ across.T).view(height, -1)
