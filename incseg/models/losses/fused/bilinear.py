"""Bilinear resizing of one axis as a product with a matrix."""

from functools import lru_cache

import torch
from torch import Tensor

#: columns that are resized at once
BAND = 128


@lru_cache(maxsize=64)
def bilinear_matrix(source: int, target: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return the matrix ``(target, source)`` of bilinear resizing along one axis.

    With ``align_corners=False``, sample ``y`` of the target lies at
    ``(y + 1/2) * source / target - 1/2`` of the source, clamped to its ends.
    Rows sum to one and have at most two entries.  The matrix is on the CPU and shared:
    do not write to it.

    Args:
        source: Number of pixels before.
        target: Number of pixels after.
        dtype: Type of the result.
    """
    return bilinear_rows(source, target, range(target)).to(dtype)


def bilinear_rows(source: int, target: int, rows: range) -> Tensor:
    """Return some rows of :func:`bilinear_matrix`, in float64.

    Args:
        source, target: As there.
        rows: Which of the ``target`` rows.

    Returns:
        ``(rows, source)``.
    """
    sample = torch.arange(rows.start, rows.stop, dtype=torch.float64)
    position = (sample + 0.5) * (source / target) - 0.5
    position = position.clamp(0, source - 1)
    low = position.floor().long()
    high = (low + 1).clamp(max=source - 1)
    matrix = torch.zeros(len(rows), source, dtype=torch.float64)
    index = torch.arange(len(rows))
    matrix.index_put_((index, low), 1 - (position - low), accumulate=True)
    matrix.index_put_((index, high), position - low, accumulate=True)
    return matrix


def source_of(weights: Tensor) -> slice:
    """Return the range of source pixels that some rows of a resizing matrix read.

    Args:
        weights: ``(rows, source)``, rows of :func:`bilinear_matrix`.
    """
    used = weights.any(0).nonzero()
    return slice(int(used[0]), int(used[-1]) + 1)


def widen(logits: Tensor, across: Tensor) -> Tensor:
    """Resize logits along the width.

    A band of columns is computed from the few columns that it reads, so the work is
    linear in the pixels; that of a product with the whole matrix is not.

    Args:
        logits: ``(C, h, w)``; not changed.
        across: ``(W, w)``, see :func:`bilinear_matrix`.

    Returns:
        ``(h, C * W)``, rows first.
    """
    channels, height, width = logits.shape
    rows = logits.transpose(0, 1).reshape(height * channels, width)
    wide = logits.new_empty(len(rows), len(across))
    for band in bands(across):
        used = source_of(across[band])
        torch.mm(rows[:, used], across[band, used].T.to(rows.device), out=wide[:, band])
    return wide.view(height, -1)


def narrow(wide: Tensor, across: Tensor) -> Tensor:
    """Return the gradient of :func:`widen` by its logits.

    Args:
        wide: Gradient by the result, ``(h, C * W)``.
        across: ``(W, w)``, the matrix of the forward pass.

    Returns:
        ``(C, h, w)``.
    """
    rows = wide.view(-1, len(across))
    logits = wide.new_zeros(len(rows), across.shape[1])
    for band in bands(across):
        used = source_of(across[band])
        logits[:, used].addmm_(rows[:, band], across[band, used])
    return logits.view(len(wide), -1, across.shape[1]).transpose(0, 1)


def bands(matrix: Tensor) -> list[slice]:
    """Return the slices ``0:BAND``, ``BAND:2*BAND``, … over the rows of a matrix.

    The output is computed band by band, so that a band stays in the cache.

    Args:
        matrix: A resizing matrix, ``(rows, columns)``.
    """
    return [slice(start, start + BAND) for start in range(0, len(matrix), BAND)]
