"""The outlines that :class:`ShapesDataset` draws, and how one is filled."""
import math

import cv2
import numpy as np

_SUBPIXEL_BITS = 4


def _circle(radius: float, points: int = 28) -> np.ndarray:
    angles = np.arange(points) * 2 * np.pi / points
    return radius * np.stack([np.cos(angles), np.sin(angles)], 1)


def _star(inner: float) -> np.ndarray:
    return _circle(1., 10) * np.where(np.arange(10) % 2, inner, 1.)[:, None]


def _cross(half: float) -> np.ndarray:
    quarter = np.array([[1., -half], [1., half], [half, half]])
    turn = np.array([[0., 1.], [-1., 0.]])
    return np.concatenate([quarter @ np.linalg.matrix_power(turn, k) for k in range(4)])


#: Outlines in a unit circle, one list of polygons per class 1..6; a second polygon is a hole.
OUTLINES = (
    [_circle(.9)],                 # disc
    [_circle(1., 4)],              # square
    [_circle(1.1, 3)],             # triangle
    [_circle(1.), _circle(.52)],   # ring
    [_cross(.33)],                 # cross
    [_star(.42) * 1.15],           # star
)
BLOB = _circle(1., 9)
BAR = np.array([[-1., -.06], [1., -.06], [1., .06], [-1., .06]])


def fill(outline: list[np.ndarray], centre: np.ndarray, radius: float, angle: float,
          size: int) -> tuple[np.ndarray, tuple[slice, slice]]:
    """A polygon's mask, bool, and the window of the picture that it covers."""
    cos, sin = radius * math.cos(angle), radius * math.sin(angle)
    turn = np.array([[cos, sin], [-sin, cos]])
    points = [part @ turn + centre for part in outline]
    left, top = (min(max(int(low), 0), size - 1) for low in points[0].min(0).tolist())
    right, bottom = (int(high) + 2 for high in points[0].max(0).tolist())
    right, bottom = min(max(right, left + 1), size), min(max(bottom, top + 1), size)
    mask = np.zeros((bottom - top, right - left), np.uint8)
    fixed = [((part - (left, top)) * (1 << _SUBPIXEL_BITS)).astype(np.int32) for part in points]
    cv2.fillPoly(mask, fixed, 1, shift=_SUBPIXEL_BITS)
    return mask.view(np.bool_), (slice(top, bottom), slice(left, right))
