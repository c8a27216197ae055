import numpy as np
import pytest

from incseg.datasets import RandomCrop
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


def test_bad_size():
    """Named with what is allowed."""
    with pytest.raises(InvalidInputError, match='size of RandomCrop is -3; allowed is a positive'):
        RandomCrop(-3)
