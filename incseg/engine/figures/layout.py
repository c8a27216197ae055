"""Names beside the rows of a picture, and a legend of its colours below it."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

FONT, SIZE, BLACK = cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0)
LINE, BOX, GAP = 22, 14, 6


def with_row_names(
    picture: np.ndarray, names: Sequence[str], top: int, distance: int
) -> np.ndarray:
    """Write a name to the right of each row.

    Args:
        picture: uint8 ``(H, W, 3)``, BGR.
        names: one a row.
        top: where the first row begins, in pixels.
        distance: from one row to the next.
    """
    width = picture.shape[1]
    wider = _padded(picture, right=2 * GAP + max(map(text_width, names)))
    for row, name in enumerate(names):
        _write(wider, name, width + GAP, top + row * distance)
    return wider


def with_legend(picture: np.ndarray, classes: Mapping[str, Sequence[int]]) -> np.ndarray:
    """Add a box in its colour and its name for each class, in as many lines as they need.

    Args:
        picture: uint8 ``(H, W, 3)``, BGR; made wider where a name asks for it.
        classes: name -> colour, RGB.
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
    """Of a name, in pixels."""
    return int(cv2.getTextSize(text, FONT, SIZE, 1)[0][0])


def _padded(picture: np.ndarray, right: int = 0, below: int = 0) -> np.ndarray:
    return np.pad(picture, ((0, below), (0, right), (0, 0)), constant_values=255)


def _write(picture: np.ndarray, text: str, left: int, top: int) -> None:
    cv2.putText(picture, text, (left, top + LINE - 7), FONT, SIZE, BLACK, 1, cv2.LINE_AA)
