import numpy as np
import pytest

from incseg.datasets import RandomScale
from incseg.errors import InvalidInputError


def test_factor_is_uniform_and_common(make_sample):
    """Both sides by one factor, uniform in [0.5, 2]: mean 1.25, standard deviation 0.433."""
    np.random.seed(0)
    factors = []
    for _ in range(400):
        height, width = RandomScale(0.5, 2.0)(make_sample(60, 80))['img_shape']
        assert height / 60 == pytest.approx(width / 80, abs=0.02)
        factors.append(width / 80)
    assert min(factors) >= 0.49 and max(factors) <= 2.01
    assert np.mean(factors) == pytest.approx(1.25, abs=0.07)
    assert np.std(factors) == pytest.approx(0.433, abs=0.04)


@pytest.mark.parametrize('bounds', [(0, 1), (2, 1)])
def test_bad_range(bounds):
    """A factor of 0 or below makes no image."""
    with pytest.raises(InvalidInputError, match='range of RandomScale'):
        RandomScale(*bounds)
