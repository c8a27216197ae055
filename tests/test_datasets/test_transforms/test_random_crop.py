import numpy as np
import pytest

from incseg.datasets import RandomCrop
from incseg.datasets.transforms import geometry
from incseg.errors import InvalidInputError


def test_every_place_is_reached():
    """An off-by-one would never show the last row or column."""
    np.random.seed(0)
    grid = np.arange(12, dtype=np.uint8).reshape(3, 4)
    corners = set()
    for _ in range(200):
        results = dict(img=np.repeat(grid[..., None], 3, 2), gt_seg_map=grid,
                       seg_fields=['gt_seg_map'])
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
        top, left = (np.random.randint(max(0, have - want) + 1)
                     for want, have in zip(size, (60, 80)))
        geometry.crop(expected, top, left, *size)
        for key in ('img', 'gt_seg_map'):
            np.testing.assert_array_equal(cropped[key], expected[key])
        assert cropped['img_shape'] == size


def test_bad_size():
    """Named with what is allowed."""
    with pytest.raises(InvalidInputError, match='size of RandomCrop is -3; allowed is a positive'):
        RandomCrop(-3)
