import numpy as np
import pytest

from incseg.datasets import RandomLongSide
from incseg.errors import InvalidInputError


@pytest.mark.parametrize('shape', [(60, 80), (80, 60)])
def test_the_longer_side_is_drawn(make_sample, assert_aligned, shape):
    """Both ends are drawn, nothing outside; the ratio stays and the labels follow."""
    np.random.seed(0)
    lengths = set()
    for _ in range(60):
        results = RandomLongSide(30, 34)(make_sample(*shape))
        height, width = results['img_shape']
        lengths.add(max(height, width))
        assert abs(height * shape[1] - width * shape[0]) <= max(shape) / 2
        assert_aligned(results)
    assert lengths == {30, 31, 32, 33, 34}


@pytest.mark.parametrize('low, high', [(0, 5), (6, 5), (1.5, 3)])
def test_bad_range(low, high):
    """Named with what is allowed."""
    with pytest.raises(InvalidInputError, match='range of RandomLongSide is .*1 <= low <= high'):
        RandomLongSide(low, high)
