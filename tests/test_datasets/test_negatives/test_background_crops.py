import numpy as np
import pytest

from incseg.datasets import BackgroundCrops
from incseg.datasets.negatives.old_network import window_sums
from incseg.errors import InvalidInputError


class OneImage:
    """A data set of one image, 8 x 16, whose grey is the column's number."""

    def get_data_info(self, index):
        assert index == 5
        image = np.tile(np.arange(16, dtype=np.uint8)[None, :, None] * 10, (8, 1, 3))
        return dict(image_id='a', img=image, gt_seg_map=np.zeros((8, 16), np.uint8))


def scene(columns, value=3, sure=0.9):
    """An old class in some columns of an 8 x 16 image."""
    label = np.zeros((8, 16), np.uint8)
    label[:, columns] = value
    return label, np.full(label.shape, sure, np.float32)


def test_window_sums():
    """Against every window summed by itself."""
    mask = np.random.default_rng(0).random((7, 9)) < 0.5
    sums = window_sums(mask, 3, 4)
    assert sums.shape == (5, 6)
    for y in range(5):
        for x in range(6):
            assert sums[y, x] == mask[y : y + 3, x : x + 4].sum()


def test_largest_size_then_best_place():
    """Half the image fits into the class at one place; three quarters do not."""
    remedy = BackgroundCrops(share=1.0, sizes=(0.25, 0.75, 0.5))
    assert remedy.look(*scene(slice(5, 13))) == (0, 5, 4, 8)
    assert remedy.look(*scene(slice(5, 12))) == (0, 5, 2, 4)
    assert BackgroundCrops(share=0.8, sizes=(0.75,)).look(*scene(slice(2, 12))) is not None, (
        '10 of 12 columns are 83 %'
    )


@pytest.mark.parametrize(('value', 'sure'), [(3, 0.6), (0, 1.0)])
def test_where_the_new_class_could_be(value, sure):
    """Where the old network is unsure, or sees background, as which it takes every new class."""
    assert BackgroundCrops(confidence=0.7).look(*scene(slice(0, 16), value, sure)) is None


def test_images_are_enlarged_crops():
    """Of the image's size, so that a batch fits together; named after their image."""
    remedy = BackgroundCrops()
    remedy.gather(OneImage(), [2, 5], [None, (2, 4, 4, 8)])
    assert len(remedy) == 1 and remedy.class_ids == () and remedy.image_labels.shape == (2, 0)
    info = remedy.get_data_info(0)
    assert info['image_id'] == 'crop_a' and info['img'].shape == (8, 16, 3)
    assert 'gt_seg_map' not in info
    assert info['img'].min() == 40 and info['img'].max() == 110, 'columns 4 to 11'


def test_no_crop():
    """The error says what to change, and that there are other remedies."""
    with pytest.raises(
        InvalidInputError,
        match=(
            "type='BackgroundCrops', confidence=0.7, .*none of the 2 images.*another of "
            'seam.negatives'
        ),
    ):
        BackgroundCrops().gather(OneImage(), [1, 2], [None, None])


@pytest.mark.parametrize('options', [dict(confidence=0), dict(share=1.5), dict(sizes=())])
def test_bad_arguments(options):
    """The key, its value and what is allowed."""
    (key,) = options
    with pytest.raises(InvalidInputError, match=f'seam.negatives.{key} is .*, expected .*above 0'):
        BackgroundCrops(**options)
