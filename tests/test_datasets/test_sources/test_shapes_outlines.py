import numpy as np
import pytest

from incseg.datasets.sources.shapes_scene import OUTLINES, fill

SIZE = 400
RADIUS = 150.0
# areas of the outlines in a circle of radius 1
AREAS = [
    np.pi * 0.81,
    2.0,
    1.1**2 * 3 * 3**0.5 / 4,
    np.pi * (1 - 0.52**2),
    4 * 0.66 - 0.66**2,
    10 * 0.5 * 1.15**2 * 0.42 * np.sin(np.pi / 5),
]


@pytest.mark.parametrize(('outline', 'area'), list(zip(OUTLINES, AREAS)))
def test_areas(outline, area):
    """The shapes are what they are called: area by the textbook formula, at any angle."""
    for angle in (0.0, 1.0):
        mask, _ = fill(outline, np.array([200.0, 200.0]), RADIUS, angle, SIZE)
        assert mask.sum() / RADIUS**2 == pytest.approx(area, rel=0.03)


def test_window_is_inside_the_picture():
    """A shape over the border is cut, not moved or wrapped."""
    for centre in ([0, 0], [399, 10], [399, 399], [-50, 200]):
        mask, (rows, columns) = fill(OUTLINES[0], np.array(centre, float), RADIUS, 0.0, SIZE)
        assert mask.shape == np.zeros((SIZE, SIZE))[rows, columns].shape
        y, x = np.nonzero(mask)
        distance = np.hypot(x + columns.start - centre[0], y + rows.start - centre[1])
        assert distance.max() < 0.9 * RADIUS + 2
