"""Windows: their size, their position, and void where there is no image."""

import numpy as np
import pytest
import torch
from torchvision.transforms import RandomResizedCrop as Reference
from torchvision.transforms import functional as reference

from incseg.datasets import CenterCrop, Pad, RandomCrop, RandomResizedCrop, RandomScale
from incseg.datasets.transforms import geometry


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


@pytest.mark.parametrize(('height', 'width'), [(60, 80), (100, 30)])
def test_windows_are_distributed_as_torchvisions(height, width):
    """Kolmogorov-Smirnov distance of top, left, height and width over 3,000 draws each: equal
    laws stay below 0.05 (p < 0.001).  Area drawn wrongly (side instead of area, say), or another
    fallback, is far above."""
    np.random.seed(0)
    torch.manual_seed(0)
    ours = RandomResizedCrop(32)
    image = torch.zeros(3, height, width)
    mine = np.array([ours.window(height, width) for _ in range(3000)])
    theirs = np.array(
        [Reference.get_params(image, [0.5, 2.0], [3 / 4, 4 / 3]) for _ in range(3000)]
    )
    for column in range(4):
        grid = np.unique(theirs[:, column])
        below = [np.searchsorted(np.sort(w[:, column]), grid, 'right') for w in (mine, theirs)]
        assert np.abs(below[0] - below[1]).max() / 3000 < 0.05


@pytest.mark.parametrize(
    ('height', 'width', 'window'),
    [
        (60, 80, (0, 0, 60, 80)),  # ratio allowed: the whole image
        (60, 300, (0, 110, 60, 80)),  # too wide: 60 * 4/3 in the middle
        (200, 30, (80, 0, 40, 30)),  # too tall: 30 / (3/4) in the middle
    ],
)
def test_fallback_to_the_centre(height, width, window):
    """Shares above 1 never fit, so that torchvision's fallback is what MiB trains on."""
    assert RandomResizedCrop(32, scale=(3.0, 4.0)).window(height, width) == window
    image = torch.zeros(3, height, width)
    assert Reference.get_params(image, [3.0, 4.0], [3 / 4, 4 / 3]) == window


def test_window_has_at_least_one_pixel():
    """Extreme ratios of tiny images must not cut nothing."""
    assert RandomResizedCrop(4, scale=(9, 9), ratio=(0.01, 0.1)).window(1, 50)[2:] == (1, 1)


def test_middle_is_kept(make_sample):
    """Same window as torchvision's centre crop, which published VOC numbers were made with."""
    label = make_sample(60, 80)['gt_seg_map']
    for size in ((40, 40), (41, 33), (60, 80)):
        ours = CenterCrop(size)(make_sample(60, 80))['gt_seg_map']
        theirs = reference.center_crop(torch.from_numpy(label)[None], list(size))[0].numpy()
        # odd margins may be rounded the other way, by one pixel
        shifted = [np.roll(label, (dy, dx), (0, 1)) for dy in (0, 1, -1) for dx in (0, 1, -1)]
        windows = [
            reference.center_crop(torch.from_numpy(s)[None], list(size))[0].numpy() for s in shifted
        ]
        assert ours.shape == theirs.shape == size
        assert any((ours == window).all() for window in windows)
        if size[0] % 2 == size[1] % 2 == 0:
            np.testing.assert_array_equal(ours, theirs)


def test_smaller_images_are_padded_around(make_sample):
    """Nothing of the image is lost, the rest is void."""
    label = CenterCrop((64, 40))(make_sample(60, 30))['gt_seg_map']
    assert (label[2:62, 5:35] != 255).all() and (label != 255).sum() == 60 * 30


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
