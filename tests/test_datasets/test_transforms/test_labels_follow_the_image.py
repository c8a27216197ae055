"""Image and labels move together: apart, a network learns from shifted classes."""

import cv2
import numpy as np
import pytest

from incseg.datasets.transforms import geometry
from incseg.errors import InvalidInputError


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
