"""From logits to a map of classes at another size, without full-size logits."""

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from incseg.models.losses.fused.bilinear import bilinear_matrix, source_of, widen
from incseg.structures.network_outputs import upsample

#: upsampled logits held at once (2 MB of float32), so that they stay in the cores' caches
CHUNK = 1 << 19
#: channels held at once; all of very many channels would make a chunk of one row or less
BLOCK = 64

#: a head's decision: logits ``(N, C, H, W)`` -> train ids ``(N, H, W)``
Decision = Callable[[Tensor], Tensor]


def class_map(logits: Tensor, *sizes: tuple[int, int], decide: Decision | None = None) -> Tensor:
    """Return the class of every pixel of one image at another size.

    The logits are resized (bilinear, ``align_corners=False``, float32 or wider) to one size
    after the other, and ``decide`` turns the result into classes.  On a CPU full-size logits
    never exist: a few rows are resized and decided at a time, so ``decide`` has to work pixel
    by pixel.  The order of the sums then differs, so a pixel may get another class where the
    logits of two classes differ by less than about 1e-6 of their size.

    Args:
        logits: ``(C, h, w)``, floating point.
        sizes: One or more ``(H, W)``; the last is the result's.
        decide: A head's decision, see :meth:`BaseDecodeHead.decide`; None for the argmax.

    Returns:
        ``(H, W)`` of train ids, uint8; int64 where there are more than 256 classes.
    """
    # on a GPU memory is no matter; and 0 * inf would spoil whole rows
    if logits.device.type != 'cpu' or not logits.isfinite().all():
        return class_map_at_once(logits, *sizes, decide=decide)
    logits = logits.detach()
    if logits.dtype.itemsize < 4:
        logits = logits.float()
    channels, height, width = logits.shape
    tall, wide = sizes[-1]
    down = resize_matrix((height, *(size[0] for size in sizes)), logits.dtype)
    across = resize_matrix((width, *(size[1] for size in sizes)), logits.dtype)
    widened = widen(logits, across)
    labels = torch.empty(tall, wide, dtype=label_type(channels, decide))
    return classes_of_widened(widened, down, labels, channels, decide)


def classes_of_widened(
    widened: Tensor, down: Tensor, labels: Tensor, channels: int, decide: Decision | None = None
) -> Tensor:
    """Resize logits along the height, a few rows at a time, and decide on each pixel.

    Args:
        widened: Logits that have their width already, ``(h, C * W)``, see :func:`widen`.
        down: The matrix along the height, ``(H, h)``, on the CPU.
        labels: ``(H, W)``; filled with train ids.
        channels: ``C``.
        decide: As for :func:`class_map`.

    Returns:
        ``labels``.
    """
    tall, wide = labels.shape
    block = min(channels, BLOCK) if decide is None else channels
    chunk = min(max(1, CHUNK // (block * wide)), tall)
    scratch = widened.new_empty(chunk, block, wide)
    for start in range(0, tall, chunk):
        weights = down[start : start + chunk]
        used = source_of(weights)
        rows = widened[used].unflatten(1, (channels, wide))
        weights = weights[:, used].to(widened.device)
        part = labels[start : start + chunk]
        best = None
        for first, some in zip(range(0, channels, block), rows.split(block, 1)):
            scores = scratch[: len(weights), : some.shape[1]]
            if some.shape[1] == block:
                torch.mm(weights, some.flatten(1), out=scores.flatten(1))
            else:
                scores = (weights @ some.flatten(1)).view_as(scores)
            if decide is not None:
                part.copy_(classes_of_rows(scores, decide))
                continue
            peaks = scores.amax(1)
            winner = first_best(scores, peaks)
            if best is None:
                best = peaks
                part.copy_(winner)
            else:  # strictly better: the first among equals stays
                part.copy_(torch.where(peaks > best, winner.to(part.dtype) + first, part))
                best = torch.maximum(best, peaks)
    return labels


def class_map_at_once(
    logits: Tensor, *sizes: tuple[int, int], decide: Decision | None = None
) -> Tensor:
    """Return the result of :func:`class_map`, computed from full-size logits, on any device.

    Args:
        logits: ``(C, h, w)``.
        sizes, decide: As for :func:`class_map`.

    Returns:
        ``(H, W)`` of train ids.
    """
    scores = logits[None]
    for size in sizes:
        scores = upsample(scores, size)
    classes = scores.argmax(1) if decide is None else decide(scores)
    return classes[0].to(label_type(len(logits), decide))


def classes_of_rows(scores: Tensor, decide: Decision | None) -> Tensor:
    """Return the class of each pixel of some rows of an image.

    Args:
        scores: Logits ``(R, C, W)``; not changed.
        decide: A head's decision, see :meth:`BaseDecodeHead.decide`; None for the argmax.

    Returns:
        ``(R, W)`` of train ids.
    """
    return first_best(scores) if decide is None else decide(scores.unsqueeze(2)).squeeze(1)


def label_type(channels: int, decide: Decision | None = None) -> torch.dtype:
    """Return the dtype of train ids: uint8, or int64 where a byte cannot hold them.

    A head with its own decision may have one class more than channels, the background.

    Args:
        channels: Number of channels of the logits.
        decide: The head's own decision, or None for the argmax.
    """
    return torch.uint8 if channels + (decide is not None) <= 256 else torch.int64


def first_best(scores: Tensor, peaks: Tensor | None = None) -> Tensor:
    """Return the index of the largest score, the first among equals.

    torch's ``argmax`` along another axis than the last is not vectorised; a
    comparison with the largest score is.

    Args:
        scores: ``(R, C, W)``.
        peaks: ``(R, W)``, the largest scores where they are known already.

    Returns:
        ``(R, W)``, uint8; int64 for more than 256 channels.
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
    """Return the matrix that resizes one axis bilinearly, from each size to the next one.

    Args:
        sizes: Two or more numbers of pixels.
        dtype: Type of the result.

    Returns:
        ``(sizes[-1], sizes[0])``; it is shared, so do not write to it.
    """
    matrix = torch.eye(sizes[0], dtype=torch.float64)
    for source, target in zip(sizes, sizes[1:]):
        if source != target:
            matrix = bilinear_matrix(source, target, torch.float64) @ matrix
    return matrix.to(dtype)
