import numpy as np
import pytest

from incseg.datasets import Pad
from incseg.errors import InvalidInputError


@pytest.mark.parametrize(
    ('kwargs', 'shape'),
    [
        (dict(size=(70, 90)), (70, 90)),
        (dict(size=(50, 90)), (60, 90)),
        (dict(divisor=32), (64, 96)),
        (dict(divisor=20), (60, 80)),
    ],
)
def test_added_below_and_to_the_right(make_sample, kwargs, shape):
    """The image keeps its place, so predictions can be cut back; padding is void."""
    before, results = make_sample(60, 80), Pad(**kwargs)(make_sample(60, 80))
    label = results['gt_seg_map']
    assert label.shape == results['img'].shape[:2] == results['img_shape'] == shape
    np.testing.assert_array_equal(label[:60, :80], before['gt_seg_map'])
    np.testing.assert_array_equal(results['img'][:60, :80], before['img'])
    assert (label == 255).sum() == shape[0] * shape[1] - 60 * 80
    assert (results['img'][60:] == (104, 116, 124)).all()


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(), 'size=None and divisor=None; allowed is exactly one'),
        (dict(size=3, divisor=3), 'allowed is exactly one'),
        (dict(divisor=0), 'divisor of Pad is 0; allowed is 1 or more'),
        (dict(size=(0, 4)), 'size of Pad'),
    ],
)
def test_bad_arguments(kwargs, message):
    """Named with what is allowed."""
    with pytest.raises(InvalidInputError, match=message):
        Pad(**kwargs)
