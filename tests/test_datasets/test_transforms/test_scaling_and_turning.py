"""Sizes, factors, angles and directions of geometric transforms."""

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from incseg.datasets import (
    CenterCrop,
    RandomFlip,
    RandomLongSide,
    RandomRotation,
    RandomScale,
    Resize,
)
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


def test_the_published_evaluation(make_sample):
    """If it fails, `mib_crop512` sees other rows or columns than torchvision's two transforms."""
    rng = np.random.default_rng(0)
    sizes = [(333, 500), (375, 500), (500, 281), (281, 281), *rng.integers(200, 700, (40, 2))]
    for height, width in sizes:
        sample = make_sample(int(height), int(width))
        theirs = transforms.Resize(512)(Image.new('L', (int(width), int(height))))
        ours = Resize(short_side=512)(sample)
        assert ours['img_shape'] == theirs.size[::-1]
        rows, columns = np.indices(ours['img_shape'])
        corner = transforms.CenterCrop(512)(torch.from_numpy(np.stack([rows, columns])))[:, 0, 0]
        ours['gt_seg_map'] = (rows % 251).astype(np.uint8)
        CenterCrop(512)(ours)
        assert ours['gt_seg_map'][0, 0] == int(corner[0]) % 251


def test_interpolation(make_sample):
    """If it fails, SEAM's pictures are scaled bilinearly where the published code is bicubic."""
    np.random.seed(0)
    sample = make_sample(60, 80)
    image, label = sample['img'].copy(), sample['gt_seg_map'].copy()
    sample = RandomLongSide(100, 100, interpolation='bicubic')(sample)
    wanted = cv2.resize(image, (100, 75), interpolation=cv2.INTER_CUBIC)
    assert np.array_equal(sample['img'], wanted)
    assert not np.array_equal(cv2.resize(image, (100, 75)), wanted)
    assert set(np.unique(sample['gt_seg_map'])) <= set(np.unique(label))
    with pytest.raises(InvalidInputError, match="interpolation of RandomLongSide is 'cubic'"):
        RandomLongSide(1, 2, interpolation='cubic')
