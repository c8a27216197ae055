import pytest

from incseg.datasets import Resize
from incseg.errors import InvalidInputError


@pytest.mark.parametrize(
    ('kwargs', 'shape'),
    [
        (dict(scale_factor=0.5), (30, 40)),
        (dict(scale_factor=1e-4), (1, 1)),
        (dict(size=33), (33, 33)),
        (dict(size=(20, 90)), (20, 90)),
        (dict(short_side=90), (90, 120)),
    ],
)
def test_sizes(make_sample, kwargs, shape):
    """Height comes first everywhere; the aspect ratio stays with a factor or a short side."""
    results = Resize(**kwargs)(make_sample(60, 80))
    assert results['img'].shape[:2] == results['gt_seg_map'].shape == results['img_shape'] == shape
    assert results['ori_shape'] == (60, 80)


def test_short_side_of_a_tall_image(make_sample):
    """The shorter side is the width here."""
    assert Resize(short_side=20)(make_sample(60, 40))['img_shape'] == (30, 20)


def test_labels_may_stay(make_sample):
    """Evaluation compares at the label's own resolution."""
    results = Resize(scale_factor=0.5, resize_labels=False)(make_sample(60, 80))
    assert results['img'].shape[:2] == (30, 40) and results['gt_seg_map'].shape == (60, 80)


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(), 'allowed is exactly one of them'),
        (dict(size=5, short_side=5), 'allowed is exactly one of them'),
        (dict(scale_factor=0), 'scale_factor of Resize is 0; allowed is more than 0'),
        (dict(short_side=0), 'short_side of Resize is 0; allowed is 1 or more'),
        (dict(size=(3, 0)), r'size of Resize is \(3, 0\); allowed is a positive int'),
    ],
)
def test_bad_arguments(kwargs, message):
    """Named with what is allowed."""
    with pytest.raises(InvalidInputError, match=message):
        Resize(**kwargs)
