"""Image and labels move together: apart, a network learns from shifted classes."""

import cv2
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
from incseg.datasets.transforms import geometry
from incseg.errors import InvalidInputError

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


def test_crop_and_pad_by_hand(make_sample):
    """A window is cut where it was asked for; what pads it is void and the mean colour."""
    results = make_sample(6, 8)
    label = results['gt_seg_map'].copy()
    geometry.crop(results, 1, 2, 3, 4)
    np.testing.assert_array_equal(results['gt_seg_map'], label[1:4, 2:6])
    geometry.pad(results, 1, 0, 0, 2)
    assert results['gt_seg_map'].shape == results['img'].shape[:2] == results['img_shape'] == (4, 6)
    assert (results['gt_seg_map'][0] == 255).all() and (results['gt_seg_map'][:, 4:] == 255).all()
    np.testing.assert_array_equal(results['gt_seg_map'][1:, :4], label[1:4, 2:6])
    assert results['img'][0, 0].tolist() == [104, 116, 124]


def test_quarter_turn_is_exact():
    """90 degrees counter-clockwise of a square loses nothing: the centre is right to the pixel."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 5, (9, 9), dtype=np.uint8)
    results = dict(
        img=np.repeat(label[..., None], 3, 2), gt_seg_map=label, seg_fields=['gt_seg_map']
    )
    geometry.rotate(results, 90)
    np.testing.assert_array_equal(results['gt_seg_map'], np.rot90(label))
    np.testing.assert_array_equal(results['img'][..., 0], np.rot90(label))


def test_nearest_samples_at_pixel_centres():
    """Enlarging 2 pixels to 5 splits them in the middle, as PIL does; OpenCV's plain NEAREST
    gives 3 to 2 the other way at times and shifts labels against the picture."""
    results = dict(
        img=np.zeros((1, 6, 3), np.uint8),
        gt_seg_map=np.arange(6, dtype=np.uint8)[None],
        seg_fields=['gt_seg_map'],
    )
    geometry.resize(results, 1, 4)
    assert results['gt_seg_map'].tolist() == [[0, 2, 3, 5]]


def test_moving_labels_of_another_size_is_refused(make_sample):
    """After Resize(resize_labels=False) a crop would cut another part of the labels."""
    results = make_sample()
    geometry.resize(results, 30, 40, labels=False)
    for move in (
        lambda: geometry.crop(results, 0, 0, 9, 9),
        lambda: geometry.flip(results, 1),
        lambda: geometry.rotate(results, 5),
        lambda: geometry.pad(results, 1, 1, 1, 1),
        lambda: geometry.resize(results, 5, 5),
    ):
        with pytest.raises(InvalidInputError, match=r"gt_seg_map of 'x\.jpg' is \(60, 80\) but"):
            move()


@pytest.mark.parametrize('shape', [(1, 1), (3, 200), (61, 83), (375, 500), (512, 512)])
@pytest.mark.parametrize('degrees', [-170.0, -9.7, 0.0, 3.3, 45.0])
def test_turned_as_opencv_turns_three_channels(shape, degrees):
    """Four channels are only the faster way there; another pixel would change seeded samples."""
    img = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    results = dict(img=img.copy())
    geometry.rotate(results, degrees)
    matrix = cv2.getRotationMatrix2D(((shape[1] - 1) / 2, (shape[0] - 1) / 2), degrees, 1.0)
    np.testing.assert_array_equal(
        results['img'],
        cv2.warpAffine(
            img,
            matrix,
            shape[::-1],
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=geometry.MEAN_COLOUR,
        ),
    )
