import numpy as np
import pytest

from incseg.datasets import (
    CenterCrop,
    Pad,
    RandomCrop,
    RandomFlip,
    RandomResizedCrop,
    RandomRotation,
    RandomScale,
    Resize,
)

TRANSFORMS = [
    Resize(size=(97, 41)),
    Resize(scale_factor=1.7),
    Resize(short_side=33),
    RandomResizedCrop((50, 70)),
    RandomResizedCrop(64, scale=(0.1, 0.5)),
    RandomCrop(48),
    RandomCrop((100, 70)),
    RandomScale(0.6, 2.0),
    RandomRotation(30),
    RandomRotation((90, 180)),
    RandomCrop(48, scale=(0.6, 2.0)),
    RandomFlip(),
    RandomFlip('vertical'),
    Pad(size=(70, 120)),
    Pad(divisor=32),
    CenterCrop(40),
    CenterCrop((90, 30)),
]


@pytest.mark.parametrize('transform', TRANSFORMS, ids=repr)
def test_picture_and_labels_move_together(make_sample, assert_aligned, transform):
    """The picture shows the ids; if labels are moved by half a block, mirrored the other way or
    interpolated, picture and label disagree."""
    np.random.seed(0)
    shares = []
    for seed in range(50):
        results = transform(make_sample(seed=seed))
        shares.append(assert_aligned(results))
        assert set(np.unique(results['gt_seg_map'])) <= {0, 1, 2, 3, 4, 5, 255}
    assert np.mean(shares) > 0.2  # enough pixels were compared


@pytest.mark.parametrize('transform', TRANSFORMS, ids=repr)
def test_same_draws_same_result(make_sample, transform):
    """All choices come from numpy's global generator, so a seeded sample can be repeated."""
    results = []
    for _ in range(2):
        np.random.seed(7)
        results.append(transform(make_sample()))
    np.testing.assert_array_equal(results[0]['img'], results[1]['img'])
    np.testing.assert_array_equal(results[0]['gt_seg_map'], results[1]['gt_seg_map'])


def test_every_label_map_moves(make_sample):
    """Pseudo-labels are a second map in seg_fields."""
    results = make_sample()
    results.update(pseudo=results['gt_seg_map'].copy(), seg_fields=['gt_seg_map', 'pseudo'])
    np.random.seed(0)
    for transform in TRANSFORMS:
        results = transform(results)
        np.testing.assert_array_equal(results['pseudo'], results['gt_seg_map'])


def test_works_without_labels(make_sample):
    """Inference has none."""
    for transform in TRANSFORMS:
        results = make_sample()
        results.update(seg_fields=[])
        del results['gt_seg_map']
        assert transform(results)['img'].ndim == 3
