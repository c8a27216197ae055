"""From the logits of a window, or several of them, to the classes of a part of the picture."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from incseg.models.decode_heads.class_map import (
    CHUNK,
    Decision,
    classes_of_rows,
    classes_of_widened,
    label_type,
)
from incseg.models.losses.fused.bilinear import bilinear_rows, source_of, widen
from incseg.models.prediction.windows import Span


def region_matrix(span: Span, count: int, target: int, on_grid: bool = True) -> Tensor:
    """Return the matrix that resizes a window's logits to the pixels that are taken from it.

    Args:
        span: The window's rows or columns.
        count: Places of the logits along this axis.
        target: Pixels of the whole result along this axis.
        on_grid: Whether the places are those that the whole picture would have: they are then
            resized as the whole picture's are.  Else they are stretched over the window.

    Returns:
        ``(taken pixels, count)``, float64; rows sum to one.
    """
    cell, rows = span.cell(count), span.taken(target)
    matrix = None
    if target != span.length:  # to the picture's pixels first, then to the result's
        matrix = bilinear_rows(span.length, target, range(rows.start, rows.stop))
        rows = source_of(matrix)
        matrix = matrix[:, rows]
    if span.is_all:
        inner = bilinear_rows(count, span.length, range(rows.start, rows.stop))
    elif on_grid and cell is not None:
        places, first = -(-span.length // cell), span.start // cell
        inner = bilinear_rows(places, span.length, range(rows.start, rows.stop))
        inner = inner[:, first : first + count]
    else:
        inner = bilinear_rows(
            count, span.size, range(rows.start - span.start, rows.stop - span.start)
        )
    whole = inner if matrix is None else matrix @ inner
    return whole / whole.sum(1, keepdim=True)


def classes_of_region(
    variants: Sequence[Tensor],
    downs: Sequence[Tensor],
    acrosses: Sequence[Tensor],
    independent: bool,
    decide: Decision | None,
) -> Tensor:
    """Return the classes of a part of a picture.

    Several logits of it are averaged as probabilities, which are of one size whatever the scale
    that they come from: logits of large scales would outvote the others.

    Args:
        variants: Logits of the same window from several passes, each ``(C, h_i, w_i)``.
        downs, acrosses: For each, the matrices of :func:`region_matrix`.
        independent: Whether each class has a sigmoid of its own; else softmax.
        decide: The head's decision, see :meth:`BaseDecodeHead.decide`; it gets the logits of
            the averaged probabilities.  None for the argmax.

    Returns:
        ``(H, W)`` of train ids.
    """
    logits = [each.float() if each.dtype.itemsize < 4 else each for each in variants]
    channels = len(logits[0])
    tall, wide = len(downs[0]), len(acrosses[0])
    labels = torch.empty(tall, wide, dtype=label_type(channels, decide), device=logits[0].device)
    if 0 in labels.shape:
        return labels
    downs = [down.to(each.dtype) for each, down in zip(logits, downs)]
    widened = [widen(each, across.to(each.dtype)) for each, across in zip(logits, acrosses)]
    if len(logits) == 1:
        return classes_of_widened(widened[0], downs[0], labels, channels, decide)
    for rows, mean in summed_votes(widened, downs, channels, wide, independent):
        if decide is not None:
            mean /= len(logits)
            mean = mean.logit(1e-7) if independent else mean.clamp_min(1e-30).log()
        labels[rows] = classes_of_rows(mean, decide).to(labels.dtype)
    return labels


def probabilities_of_region(
    variants: Sequence[Tensor],
    downs: Sequence[Tensor],
    acrosses: Sequence[Tensor],
    independent: bool,
) -> Tensor:
    """Return the probabilities of a part of a picture, the mean over several passes.

    Args:
        variants, downs, acrosses, independent: See :func:`classes_of_region`.

    Returns:
        ``(C, H, W)``, float32 or wider, on the device of the logits.
    """
    logits = [each.float() if each.dtype.itemsize < 4 else each for each in variants]
    channels, tall, wide = len(logits[0]), len(downs[0]), len(acrosses[0])
    result = logits[0].new_empty(channels, tall, wide)
    downs = [down.to(each.dtype) for each, down in zip(logits, downs)]
    widened = [widen(each, across.to(each.dtype)) for each, across in zip(logits, acrosses)]
    for rows, total in summed_votes(widened, downs, channels, wide, independent):
        result[:, rows] = (total / len(logits)).transpose(0, 1)
    return result


def summed_votes(
    widened: Sequence[Tensor], downs: Sequence[Tensor], channels: int, wide: int, independent: bool
) -> Iterator[tuple[slice, Tensor]]:
    """Yield the sum of the passes' probabilities for a few rows at a time.

    Args:
        widened: Logits of each pass that have their width already, ``(h_i, C * W)``.
        downs: The matrix of each along the height, ``(H, h_i)``.
        channels, wide: ``C`` and ``W``.
        independent: Whether each class has a sigmoid of its own; else softmax.

    Yields:
        The rows, and their sum ``(rows, C, W)``, which may be written to.
    """
    tall = len(downs[0])
    chunk = min(max(1, CHUNK // max(1, channels * wide)), max(1, tall))
    for start in range(0, tall, chunk):
        total = None
        for each, down in zip(widened, downs):
            weights = down[start : start + chunk]
            used = source_of(weights)
            rows = each[used].unflatten(1, (channels, wide)).flatten(1)
            scores = (weights[:, used].to(rows) @ rows).view(-1, channels, wide)
            votes = scores.sigmoid() if independent else scores.softmax(1)
            total = votes if total is None else total.add_(votes)
        assert total is not None
        yield slice(start, start + chunk), total
