"""Labels of a batch that are no class: on a GPU they only show as a loss that is not a number."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from incseg.constants import VOID


def label_range(batch: Mapping[str, Any] | None) -> tuple[int, int] | None:
    """Return the lowest and the highest label of a batch but for void; no GPU is waited for.

    Args:
        batch: What the loader made, with ``labels`` ``(N, H, W)``, a tensor or a list.

    Returns:
        The two; None if the labels are not there or not on the CPU, or all of them are void.
    """
    labels = (batch or {}).get('labels')
    maps = [labels] if isinstance(labels, Tensor) else labels or []
    if any(one.device.type != 'cpu' or one.is_floating_point() for one in maps):
        return None
    ranges = [_range(one) for one in maps if one.numel()]
    found = [(low, high) for low, high in ranges if low <= high]
    return (min(low for low, _ in found), max(high for _, high in found)) if found else None


def _range(labels: Tensor) -> tuple[int, int]:
    """Return the lowest and the highest label but for void, the first above if there is none."""
    if labels.dtype is torch.uint8:
        high = int((labels + 1).amax()) - 1  # void, 255, becomes 0: three times as fast as a mask
        return (0, high)
    void, info = labels == VOID, torch.iinfo(labels.dtype)
    low = int(labels.masked_fill(void, info.max).amin())
    return low, int(labels.masked_fill(void, info.min).amax())


def foreign_label(found: tuple[int, int] | None, classes: int) -> int | None:
    """Return a label that is no class of a network; None if there is none.

    Args:
        found: What :func:`label_range` returned.
        classes: Number of the network's classes, the background included.
    """
    if found is None:
        return None
    low, high = found
    return low if low < 0 else high if high >= classes else None
