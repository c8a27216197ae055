"""Lay out a figure: columns of pictures, names of the rows, a legend of the colours."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from incseg.utils.rules import printable

FONT, SIZE, BLACK = cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0)
LINE, BOX, GAP = 22, 14, 6
#: enlargement of the pictures, and height of the titles above them in pixels
ENLARGE, HEAD = 2, 22


def grid(columns: Mapping[str, Sequence[np.ndarray]]) -> np.ndarray:
    """Put columns of pictures under their titles, on white, at twice their size.

    Args:
        columns: Pictures by title, uint8 ``(h, w, 3)``, BGR, all of one size, and equally many
            in each column.

    Returns:
        uint8 ``(H, W, 3)``.
    """
    height, width = (ENLARGE * side for side in next(iter(columns.values()))[0].shape[:2])
    rows = len(next(iter(columns.values())))
    canvas = np.full(
        (HEAD + rows * (height + GAP), len(columns) * (width + GAP) - GAP, 3), 255, np.uint8
    )
    for x, (title, pictures) in enumerate(columns.items()):
        left = x * (width + GAP)
        cv2.putText(
            canvas,
            printable(title),
            (left, HEAD - 7),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.5,
            (0, 0, 0),
            1,
            cv2.LINE_AA,
        )
        for y, picture in enumerate(pictures):
            top = HEAD + y * (height + GAP)
            canvas[top : top + height, left : left + width] = cv2.resize(
                picture, (width, height), interpolation=cv2.INTER_NEAREST
            )
    return canvas


def with_row_names(
    picture: np.ndarray, names: Sequence[str], top: int, distance: int
) -> np.ndarray:
    """Return a wider picture with a name to the right of each row.

    Args:
        picture: uint8 ``(H, W, 3)``, BGR; it is not changed.
        names: one name per row.
        top: the y coordinate of the first row, in pixels.
        distance: the distance between two rows, in pixels.

    Returns:
        uint8 ``(H, W', 3)``.
    """
    width = picture.shape[1]
    wider = _padded(picture, right=2 * GAP + max(map(text_width, names)))
    for row, name in enumerate(names):
        _write(wider, name, width + GAP, top + row * distance)
    return wider


def with_legend(picture: np.ndarray, classes: Mapping[str, Sequence[int]]) -> np.ndarray:
    """Return a taller picture with a legend below: a coloured box and a name for each class.

    Args:
        picture: uint8 ``(H, W, 3)``, BGR; not changed.  The result is wider if a name needs it.
        classes: colour, RGB, by name.

    Returns:
        uint8 ``(H', W', 3)``.
    """
    widths = [BOX + 4 * GAP + text_width(name) for name in classes]
    picture = _padded(picture, right=max(0, max(widths) - picture.shape[1]))
    height, width = picture.shape[:2]
    places, left, line = [], 0, 0
    for needed in widths:
        if left + needed > width:
            left, line = 0, line + 1
        places.append((left, height + line * LINE))
        left += needed
    taller = _padded(picture, below=(line + 1) * LINE)
    for (left, top), (name, colour) in zip(places, classes.items(), strict=True):
        taller[top + 4 : top + 4 + BOX, left : left + BOX] = colour[::-1]
        _write(taller, name, left + BOX + GAP, top)
    return taller


def text_width(text: str) -> int:
    """Return the width of a text, in pixels."""
    return int(cv2.getTextSize(printable(text), FONT, SIZE, 1)[0][0])


def _padded(picture: np.ndarray, right: int = 0, below: int = 0) -> np.ndarray:
    return np.pad(picture, ((0, below), (0, right), (0, 0)), constant_values=255)


def _write(picture: np.ndarray, text: str, left: int, top: int) -> None:
    place = (left, top + LINE - 7)
    cv2.putText(picture, printable(text), place, FONT, SIZE, BLACK, 1, cv2.LINE_AA)
