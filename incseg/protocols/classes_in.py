"""Which classes a mask shows."""

from typing import Any

import numpy as np
import numpy.typing as npt

from incseg.errors import InvalidInputError
from incseg.protocols.protocol import VOID


def classes_in(mask: Any, path: str, num_classes: int) -> npt.NDArray[np.bool_]:
    """Tells for every dataset id from 0 to ``num_classes`` whether the mask holds it.

    Args:
        mask: uint8 dataset ids of any shape, 255 = void.
        path: What to call the mask in an error.
        num_classes: C, classes without background.

    Returns:
        Bool ``(C + 1,)``.

    Raises:
        InvalidInputError: The mask is not uint8, or holds an id above C other than 255.
    """
    if getattr(mask, 'dtype', None) != np.uint8:
        got = getattr(mask, 'dtype', type(mask).__name__)
        raise InvalidInputError(f'{path}: the reader gave {got}, expected a uint8 array')
    ids = np.ascontiguousarray(mask).reshape(-1)
    found = np.zeros(256, np.bool_)
    # An id occurs if a run of it starts somewhere.  Eight pixels are compared as one word; masks
    # have few runs, and most of the words where one starts occur many times.
    whole = len(ids) // 8 * 8
    words = run_starts(np.sort(run_starts(ids[:whole].view(np.uint64))))
    found[words.view(np.uint8)] = True
    found[ids[whole:]] = True
    strange = np.flatnonzero(found[num_classes + 1 : VOID]) + num_classes + 1
    if len(strange):
        listed = ', '.join(map(str, strange))
        raise InvalidInputError(
            f'{path}: holds id {listed}, expected 0 to {num_classes} or {VOID} (void)'
        )
    return found[: num_classes + 1]


def run_starts(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The first value, and every other one that differs from the value before it."""
    starts = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=starts[1:])
    return values[starts]
