import numpy as np
import pytest

from incseg.datasets import RandomCrop, RandomScale
from incseg.datasets.transforms import geometry
from incseg.errors import InvalidInputError


def test_every_place_is_reached():
    """An off-by-one would never show the last row or column."""
    np.random.seed(0)
    grid = np.arange(12, dtype=np.uint8).reshape(3, 4)
    corners = set()
    for _ in range(200):
        results = dict(
            img=np.repeat(grid[..., None], 3, 2), gt_seg_map=grid, seg_fields=['gt_seg_map']
        )
        corners.add(int(RandomCrop((2, 2))(results)['gt_seg_map'][0, 0]))
    assert corners == {0, 1, 2, 4, 5, 6}


def test_small_images_are_padded_anywhere(make_sample):
    """All of the image stays, the rest is void, and it is not always in the same corner."""
    np.random.seed(0)
    places = set()
    for _ in range(100):
        results = RandomCrop((7, 3))(make_sample(4, 5))
        label = results['gt_seg_map']
        assert label.shape == (7, 3) and (label != 255).sum() == 4 * 3
        places.add(int(np.nonzero((label != 255).any(1))[0][0]))
    assert places == {0, 1, 2, 3}


@pytest.mark.parametrize('size', [(40, 30), (90, 30), (40, 100), (90, 100), (60, 80)])
def test_padded_then_cut(make_sample, size):
    """Cutting first is less work; it must give what padding first gave, from the same draws."""
    for seed in range(20):
        np.random.seed(seed)
        cropped = RandomCrop(size)(make_sample())
        np.random.seed(seed)
        missing = [max(0, want - have) for want, have in zip(size, (60, 80))]
        above, left = (np.random.randint(n + 1) for n in missing)
        expected = make_sample()
        geometry.pad(expected, above, missing[0] - above, left, missing[1] - left)
        top, left = (
            np.random.randint(max(0, have - want) + 1) for want, have in zip(size, (60, 80))
        )
        geometry.crop(expected, top, left, *size)
        for key in ('img', 'gt_seg_map'):
            np.testing.assert_array_equal(cropped[key], expected[key])
        assert cropped['img_shape'] == size


def _coordinates(height=60, width=80):
    """An image whose blue is the row and green the column, labels whose id is the row."""
    rows, columns = np.mgrid[:height, :width].astype(np.uint8)
    return dict(img=np.dstack([rows, columns, rows]), gt_seg_map=rows, seg_fields=['gt_seg_map'])


def _both(size, scale, seed, make):
    """RandomCrop with a scale, and RandomScale before RandomCrop, from the same draws."""
    np.random.seed(seed)
    ours = RandomCrop(size, scale=scale)(make())
    np.random.seed(seed)
    return ours, RandomCrop(size)(RandomScale(*scale)(make()))


@pytest.mark.parametrize('size', [(40, 30), (90, 70), (200, 50)])
@pytest.mark.parametrize('scale', [(0.5, 2.0), (1.9, 2.0), (0.05, 0.2), (1.0, 1.0)])
def test_scaled_crop_is_scale_then_crop(size, scale):
    """A window taken from elsewhere, or scaled by another factor, shows other coordinates."""
    for seed in range(20):
        ours, expected = _both(size, scale, seed, _coordinates)
        void = expected['gt_seg_map'] == 255
        np.testing.assert_array_equal(ours['gt_seg_map'] == 255, void)
        assert ours['img'].shape == (*size, 3) and ours['img_shape'] == size
        for key in ('img', 'gt_seg_map'):  # half a pixel, and the rounding to whole values
            apart = np.abs(ours[key].astype(int) - expected[key])[~void]
            assert apart.max() <= 1


@pytest.mark.parametrize('scale', [(0.5, 0.5), (0.3, 1.2), (1.0, 1.0)])
def test_scaled_crop_of_all(make_sample, scale):
    """Where the window keeps the whole image nothing may differ, to the last bit."""
    for seed in range(20):
        ours, expected = _both((80, 100), scale, seed, make_sample)
        for key in ('img', 'gt_seg_map'):
            np.testing.assert_array_equal(ours[key], expected[key])


def test_one_pixel_is_enlarged():
    """A window that is smaller than a pixel of the image still shows one."""
    results = RandomCrop(3, scale=(10.0, 10.0))(_coordinates(2, 2))
    assert results['img'].shape == (3, 3, 3) and set(np.unique(results['gt_seg_map'])) <= {0, 1}


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(size=-3), 'size of RandomCrop is -3; allowed is a positive'),
        (dict(size=3, scale=(0, 2)), r'scale of RandomCrop is \(0, 2\); allowed is'),
        (dict(size=3, scale=2.0), r'scale of RandomCrop is 2.0; allowed is'),
    ],
)
def test_bad_arguments(arguments, message):
    """Named with what is allowed."""
    with pytest.raises(InvalidInputError, match=message):
        RandomCrop(**arguments)
