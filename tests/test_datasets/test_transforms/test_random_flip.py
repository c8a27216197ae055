import numpy as np
import pytest

from incseg.datasets import RandomFlip
from incseg.errors import InvalidInputError


@pytest.mark.parametrize(('direction', 'axis'), [('horizontal', 1), ('vertical', 0)])
def test_direction(make_sample, direction, axis):
    """Horizontal mirrors left and right; swapped, street scenes would stand on their heads."""
    before = make_sample()
    after = RandomFlip(direction, prob=1.0)(make_sample())
    np.testing.assert_array_equal(after['gt_seg_map'], np.flip(before['gt_seg_map'], axis))
    np.testing.assert_array_equal(after['img'], np.flip(before['img'], axis))


def test_prob(make_sample):
    """Half of the images by default, none at 0."""
    np.random.seed(0)
    before = make_sample()['gt_seg_map']
    count = sum((RandomFlip()(make_sample())['gt_seg_map'] != before).any() for _ in range(300))
    assert 120 < count < 180
    assert all((RandomFlip(prob=0)(make_sample())['gt_seg_map'] == before).all() for _ in range(20))


def test_bad_arguments():
    """Named with what is allowed."""
    with pytest.raises(InvalidInputError, match="is 'diagonal'; allowed are horizontal, vertical"):
        RandomFlip('diagonal')
    with pytest.raises(InvalidInputError, match='prob of RandomFlip'):
        RandomFlip(prob=-0.1)
