import numpy as np
import pytest

from incseg.datasets import RandomRotation
from incseg.errors import InvalidInputError


def test_corners_are_void_and_mean_colour(make_sample):
    """Corners from outside must not be trained on: label 255, image the mean colour."""
    results = RandomRotation((45, 45))(make_sample(60, 60))
    assert results['gt_seg_map'].shape == (60, 60)
    for corner in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        assert results['gt_seg_map'][corner] == 255
        assert results['img'][corner].tolist() == [104, 116, 124]
    # a square turned by 45 degrees keeps the inscribed octagon: 2 * (sqrt(2) - 1) of its area
    assert (results['gt_seg_map'] != 255).mean() == pytest.approx(0.828, abs=0.02)


def test_positive_is_counter_clockwise():
    """As in torchvision: the top of the image turns to the left."""
    label = np.zeros((9, 9), np.uint8)
    label[0] = 1
    results = dict(img=np.zeros((9, 9, 3), np.uint8), gt_seg_map=label, seg_fields=['gt_seg_map'])
    assert (RandomRotation((90, 90))(results)['gt_seg_map'][:, 0] == 1).all()


def test_zero_and_prob(make_sample):
    """No rotation at 0 degrees; prob 0 never turns, prob .3 turns about 3 in 10."""
    before = make_sample()
    after = RandomRotation(0)(make_sample())
    np.testing.assert_array_equal(after['img'], before['img'])
    np.random.seed(0)
    turned = sum(
        (RandomRotation((20, 20), prob=0.3)(make_sample())['gt_seg_map'] == 255).any()
        for _ in range(300)
    )
    assert 60 < turned < 120


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(degrees=-5), 'degrees of RandomRotation is -5; allowed is 0 or more'),
        (dict(degrees=(9, 3)), r'degrees of RandomRotation is \(9, 3\)'),
        (dict(degrees=9, prob=2), 'prob of RandomRotation'),
    ],
)
def test_bad_arguments(kwargs, message):
    """Named with what is allowed."""
    with pytest.raises(InvalidInputError, match=message):
        RandomRotation(**kwargs)
