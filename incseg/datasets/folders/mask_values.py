"""Which values masks hold, before anybody has said what they mean: ids or colours, with pixels."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias, TypeVar

import numpy as np

from incseg.datasets.label_maps.mask_file import Colour, mask_pixels, packed, read_rgb, unpacked
from incseg.errors import UserError

T = TypeVar('T')
#: an id, or a colour
Value: TypeAlias = int | Colour
#: threads that read files
THREADS = 8


def values_of_masks(
    paths: Sequence[str],
    coloured: bool | None = None,
    update: Callable[[int], object] = lambda done: None,
) -> tuple[list[dict[Value, int]], bool]:
    """Count the pixels of each value in masks.

    Args:
        paths: The masks.
        coloured: Whether values are colours, those of palettes too; None: they are colours if
            one of the masks has any that are not grey, and no palette.
        update: Called with the number of masks read since the last call.

    Returns:
        For each mask the pixels of each of its values, and whether values are colours.

    Raises:
        InvalidInputError: Masks cannot be read; names the first and says how many.
    """

    def count(path: str) -> dict[Value, int]:
        pixels = read_rgb(path) if coloured else mask_pixels(path)
        update(1)
        if pixels.ndim == 3:
            numbers, counts = np.unique(packed(pixels), return_counts=True)
            return {unpacked(int(n)): int(c) for n, c in zip(numbers, counts, strict=True)}
        counts = np.bincount(pixels.ravel(), minlength=256)
        return {int(i): int(counts[i]) for i in np.flatnonzero(counts)}

    found = of_each(paths, count, 'masks')
    if coloured is None and any(isinstance(value, tuple) for each in found for value in each):
        return values_of_masks(paths, True)[0], True
    return found, bool(coloured)


def of_each(paths: Sequence[str], read: Callable[[str], T], what: str) -> list[T]:
    """Return what ``read`` says of each file; several threads call it.

    Raises:
        UserError: The first error of a file, and in how many files there is one.
    """

    def kept(path: str) -> T | UserError:
        try:
            return read(path)
        except UserError as error:
            return error

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(kept, paths))
    errors = [each for each in found if isinstance(each, UserError)]
    if errors:
        text = str(errors[0])
        count = f' ({len(errors)} of {len(paths)} {what} cannot be read)'
        raise type(errors[0])(text + (count if len(errors) > 1 else ''))
    return [each for each in found if not isinstance(each, UserError)]


def totals(values: Sequence[dict[Value, int]]) -> dict[Value, tuple[int, int]]:
    """Return the pixels and the images of each value, sorted; numbers before colours.

    Args:
        values: The pixels of each value, for each mask.
    """
    pixels: Counter[Value] = Counter()
    images: Counter[Value] = Counter()
    for each in values:
        pixels.update(each)
        images.update(each.keys())
    order = sorted(pixels, key=lambda value: (isinstance(value, tuple), value))
    return {value: (pixels[value], images[value]) for value in order}


def in_words(found: dict[Value, tuple[int, int]], most: int = 8) -> str:
    """Return values with their share of the pixels, most frequent first, as a message shows them.

    Args:
        found: Of each value the pixels and the images.
        most: How many are shown.
    """
    whole = sum(pixels for pixels, _ in found.values()) or 1
    order = sorted(found, key=lambda value: -found[value][0])
    words = ', '.join(f'{value} {100 * found[value][0] / whole:.1f} %' for value in order[:most])
    more = f' and {len(order) - most} more' if len(order) > most else ''
    return words + more
