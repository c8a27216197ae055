"""Windows of a picture that overlap, and the part of each that is taken from it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

#: strides of maps of most networks
CELLS = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True)
class Span:
    """Rows, or columns, of a window.

    Attributes:
        start, stop: The pixels that the network sees.
        first, last: The pixels whose classes are taken from this window; those of all windows
            make the whole picture, each once.
        length: Pixels of the whole picture.
        strides: Strides that the network's maps may have, ascending.
    """

    start: int
    stop: int
    first: int
    last: int
    length: int
    strides: tuple[int, ...] = CELLS

    @property
    def size(self) -> int:
        """Number of pixels that the network sees."""
        return self.stop - self.start

    @property
    def is_all(self) -> bool:
        """Whether the window has the whole picture."""
        return self.size == self.length

    def taken(self, target: int) -> slice:
        """Return the pixels that are taken, in the numbering of a map of another length.

        Args:
            target: Length of the map.
        """
        return slice(*(round(edge * target / self.length) for edge in (self.first, self.last)))

    def cells(self, count: int) -> slice:
        """Return the places of a map of the window whose pixels are taken from it.

        Args:
            count: Length of the map along this axis.
        """
        cell = self.cell(count) or self.size / count
        places = (
            count if edge == self.stop else int((edge - self.start) / cell + 0.5)
            for edge in (self.first, self.last)
        )
        return slice(*places)

    def cell(self, count: int) -> int | None:
        """Return the pixels of a place of a map whose size is rounded up; None if there is none.

        Args:
            count: Length of the map along this axis.
        """
        fits = (cell for cell in self.strides if -(-self.size // cell) == count)
        return next((cell for cell in fits if self.start % cell == 0), None)


def cells_of(backbone: Any) -> tuple[int, ...]:
    """Return the strides that maps of a network may have, ascending.

    Args:
        backbone: A backbone; its attribute ``strides``, if it has one, decides.

    Returns:
        :data:`CELLS`; for a network with other strides, as patches of 14 pixels, their divisors.
    """
    strides = tuple(getattr(backbone, 'strides', ()))
    if all(stride in CELLS for stride in strides):
        return CELLS
    return tuple(cell for cell in range(1, max(strides) + 1) if any(s % cell == 0 for s in strides))


def grid_of(backbone: Any, grid: int) -> int:
    """Return the pixels of which windows begin at multiples, so that maps lie on one grid.

    Args:
        backbone: A backbone, see :func:`cells_of`.
        grid: The pixels for most networks.
    """
    cells = cells_of(backbone)
    return grid if cells == CELLS else math.lcm(grid, *backbone.strides)


def spans(length: int, size: int, stride: int, strides: tuple[int, ...] = CELLS) -> list[Span]:
    """Return the windows along one axis of a picture.

    A window begins every ``stride`` pixels; the last one ends with the picture.  Where two
    overlap, each gives the half that is farther from its own edge.

    Args:
        length: Pixels of the picture.
        size: Pixels of a window; a picture that is not longer is one window.
        stride: Pixels between two windows, less than ``size``.
        strides: Strides that the network's maps may have, see :func:`cells_of`.
    """
    if length <= size:
        return [Span(0, length, 0, length, length, strides)]
    overlap = size - stride
    starts = range(0, length - overlap, stride)
    edges = [0, *(start + overlap // 2 for start in starts[1:]), length]
    return [
        Span(start, min(start + size, length), first, last, length, strides)
        for start, first, last in zip(starts, edges, edges[1:])
    ]


def windows(
    picture: tuple[int, int],
    crop: tuple[int, int] | None,
    stride: tuple[int, int],
    strides: tuple[int, ...] = CELLS,
) -> Iterator[tuple[Span, Span]]:
    """Yield the rows and columns of each window of a picture, row by row.

    Args:
        picture: ``(height, width)``.
        crop: ``(height, width)`` of a window; None for one window.
        stride: Pixels between two windows, down and across.
        strides: Strides that the network's maps may have, see :func:`cells_of`.
    """
    crop = crop or picture
    for rows in spans(picture[0], crop[0], stride[0], strides):
        for columns in spans(picture[1], crop[1], stride[1], strides):
            yield rows, columns
