from functools import lru_cache

import torch
from torch import Tensor

from incseg.models.losses.functional.bilinear import bilinear_matrix, widen
from incseg.structures.network_outputs import upsample

#: Upsampled logits held at once (2 MB of float32): what stays near the cores.
CHUNK = 1 << 19


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
    chunk = min(max(1, CHUNK // (channels * wide)), tall)
    scratch = logits.new_empty(chunk, channels, wide)
    for start in range(0, tall, chunk):
        weights = down[start:start + chunk]
        used = weights.any(0).nonzero()
        read = slice(int(used[0]), int(used[-1]) + 1)
        scores = scratch[:len(weights)]
        torch.mm(weights[:, read], widened[read], out=scores.flatten(1))
        labels[start:start + chunk] = first_best(scores)
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


def first_best(scores: Tensor) -> Tensor:
    """``(R, C, W)`` -> index of the largest along ``C``, the first among equals, ``(R, W)``.

    torch's ``argmax`` along another axis than the last is not vectorised;
    comparing with the largest is.
    """
    channels = scores.shape[1]
    if channels > 256:
        return scores.max(1).indices
    worse = torch.lt(scores, scores.amax(1, keepdim=True)).view(torch.uint8)
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
