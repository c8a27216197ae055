import numpy as np
import pytest
import torch
from torchvision.transforms import functional as reference

from incseg.datasets import CenterCrop
from incseg.errors import InvalidInputError


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


def test_bad_size():
    """Named with what is allowed."""
    with pytest.raises(InvalidInputError, match='size of CenterCrop is 0'):
        CenterCrop(0)
