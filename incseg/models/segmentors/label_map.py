from functools import lru_cache

import torch
from torch import Tensor

from incseg.models.losses.fused.bilinear import bilinear_matrix, source_of, widen
from incseg.structures.network_outputs import upsample

#: Upsampled logits held at once (2 MB of float32): what stays near the cores.
CHUNK = 1 << 19
#: Channels held at once: with all of very many, a chunk would be a row or less.
BLOCK = 64


def label_map(logits: Tensor, *sizes: tuple[int, int]) -> Tensor:
    """Logits of one image -> the best class of every pixel at another size.

    What ``argmax`` of the logits gives when they are resized (bilinear,
    ``align_corners=False``, float32 or wider) to one size after the other.  On
    CPU a few rows are made at a time and the resizings along one axis are one
    matrix, so that no full-size logits exist; sums are rounded elsewhere, so
    the two best classes of a pixel may change places where they are equal to
    about 1e-6 of the logits.

    Args:
        logits: ``(C, h, w)``, floating point.
        sizes: One or more ``(H, W)``; the last is the result's.

    Returns:
        ``(H, W)``, uint8; int64 where there are more than 256 classes.
    """
    # elsewhere memory is no matter; and 0 * inf would spoil whole rows
    if logits.device.type != 'cpu' or not logits.isfinite().all():
        return label_map_at_once(logits, *sizes)
    logits = logits.detach()
    if logits.dtype.itemsize < 4:
        logits = logits.float()
    channels, height, width = logits.shape
    tall, wide = sizes[-1]
    down = resize_matrix((height, *(size[0] for size in sizes)), logits.dtype)
    across = resize_matrix((width, *(size[1] for size in sizes)), logits.dtype)
    widened = widen(logits, across)
    labels = torch.empty(tall, wide, dtype=label_type(channels))
    block = min(channels, BLOCK)
    chunk = min(max(1, CHUNK // (block * wide)), tall)
    scratch = logits.new_empty(chunk, block, wide)
    for start in range(0, tall, chunk):
        weights = down[start : start + chunk]
        used = source_of(weights)
        rows = widened[used].unflatten(1, (channels, wide))
        weights = weights[:, used]
        found = labels[start : start + chunk]
        best = None
        for first, some in zip(range(0, channels, block), rows.split(block, 1)):
            scores = scratch[: len(weights), : some.shape[1]]
            if some.shape[1] == block:
                torch.mm(weights, some.flatten(1), out=scores.flatten(1))
            else:
                scores = (weights @ some.flatten(1)).view_as(scores)
            peaks = scores.amax(1)
            winner = first_best(scores, peaks)
            if best is None:
                best = peaks
                found.copy_(winner)
            else:  # strictly better: the first among equals stays
                found.copy_(torch.where(peaks > best, winner.to(found.dtype) + first, found))
                best = torch.maximum(best, peaks)
    return labels


def label_map_at_once(logits: Tensor, *sizes: tuple[int, int]) -> Tensor:
    """:func:`label_map` with full-size logits."""
    scores = logits[None]
    for size in sizes:
        scores = upsample(scores, size)
    return scores.argmax(1)[0].to(label_type(len(logits)))


def label_type(num_classes: int) -> torch.dtype:
    """The type of train ids."""
    return torch.uint8 if num_classes <= 256 else torch.int64


def first_best(scores: Tensor, peaks: Tensor | None = None) -> Tensor:
    """``(R, C, W)`` -> index of the largest along ``C``, the first among equals, ``(R, W)``.

    torch's ``argmax`` along another axis than the last is not vectorised;
    comparing with the largest, ``peaks`` ``(R, W)``, is.
    """
    channels = scores.shape[1]
    if channels > 256:
        return scores.max(1).indices
    peaks = scores.amax(1) if peaks is None else peaks
    worse = torch.lt(scores, peaks.unsqueeze(1)).view(torch.uint8)
    index = torch.arange(channels, dtype=torch.uint8).unsqueeze(1)
    return torch.maximum(worse.mul_(255), index, out=worse).amin(1)


@lru_cache(maxsize=64)
def resize_matrix(sizes: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Resizing one axis from the first size to each next one, ``(sizes[-1], sizes[0])``.

    Shared: do not write to it.
    """
    matrix = torch.eye(sizes[0], dtype=torch.float64)
    for source, target in zip(sizes, sizes[1:]):
        if source != target:
            matrix = bilinear_matrix(source, target, torch.float64) @ matrix
    return matrix.to(dtype)
