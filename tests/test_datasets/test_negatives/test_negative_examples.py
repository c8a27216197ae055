"""Negative examples for classes that every image of their step shows."""

import numpy as np
import pytest

from incseg.datasets import BackgroundCrops, NegativeFolder, OldModelLabels
from incseg.datasets.negatives import OldNetworkNegatives
from incseg.datasets.negatives.old_network import window_sums
from incseg.errors import InvalidInputError, MissingFileError


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


SURE = np.ones((10, 10), np.float32)


def label(**pixels):
    """A label map of 100 pixels with so many of each class, ``_3=20``; the rest is background."""
    flat = np.zeros(100, np.uint8)
    start = 0
    for name, count in pixels.items():
        flat[start : start + count] = int(name[1:])
        start += count
    return flat.reshape(10, 10)


def test_share_of_pixels():
    """From the share on, exactly; the background is no class."""
    remedy = OldModelLabels(label_share=0.05)
    assert remedy.look(label(_3=5, _7=4, _2=20), SURE)[0] == [2, 3]
    assert remedy.look(label(), SURE) == ([], None, [])
    assert OldModelLabels(label_share=0.04).look(label(_3=5, _7=4), SURE)[0] == [3, 7]


def test_a_crop_has_its_own_labels():
    """Of the image's three classes the crop shows two."""
    shown, box, in_crop = OldModelLabels(sizes=[0.5], share=1.0).look(
        label(_2=10, _7=50, _3=10), SURE
    )
    assert shown == [2, 3, 7] and box == (0, 0, 5, 5) and in_crop == [2, 7]


def test_classes_become_columns():
    """All that an image or a crop shows, for the images and behind them the crops."""
    remedy = OldModelLabels()
    remedy.gather(None, [4, 8, 9], [([2, 7], None, []), ([2], (0, 0, 4, 4), [9]), ([], None, [])])
    assert remedy.class_ids == (2, 7, 9) and len(remedy) == 1
    assert remedy.image_labels.tolist() == [[True, True, False], [True, False, False], [False] * 3]
    assert remedy.further_labels.tolist() == [[False, False, True]]


def test_nothing_to_tell_from():
    """Labels without a crop leave the new class in every image: as degenerate as before."""
    with pytest.raises(InvalidInputError, match="type='OldModelLabels', .*in none of the 2 images"):
        OldModelLabels().gather(None, [0, 1], [([2], None, []), ([], None, [])])


@pytest.mark.parametrize('share', [0, 1.5])
def test_bad_share(share):
    """0 would find every class everywhere; a mistake in the crops' arguments is named, too."""
    with pytest.raises(InvalidInputError, match=f'label_share is {share}, expected'):
        OldModelLabels(share)
    with pytest.raises(InvalidInputError, match='negatives.confidence is'):
        OldModelLabels(confidence=share)


def test_a_subclass_is_complete():
    """One that forgets to gather would leave the class without a negative, unnoticed."""
    with pytest.raises(TypeError, match='abstract.*gather.*look'):
        OldNetworkNegatives()


def test_who_needs_the_network():
    """The engine asks the type whether the step before has to be trained first."""
    assert issubclass(BackgroundCrops, OldNetworkNegatives)
    assert issubclass(OldModelLabels, OldNetworkNegatives)
    assert not issubclass(NegativeFolder, OldNetworkNegatives)


def test_every_image_below(tmp_path, write_image):
    """Both endings, folders below too, sorted; other files are no images."""
    for name in ('b.jpg', 'a.png', 'sub/c.jpg'):
        write_image(tmp_path / name)
    (tmp_path / 'notes.txt').write_text('x')
    negatives = NegativeFolder(str(tmp_path))
    assert len(negatives) == 3
    infos = [negatives.get_data_info(i) for i in range(3)]
    assert [info['img_path'] for info in infos] == [
        str(tmp_path / name) for name in ('a.png', 'b.jpg', 'sub/c.jpg')
    ]
    assert infos[2]['image_id'] == 'negative_c'


def test_file_states(tmp_path, write_image):
    """Another picture under the same name is told from the one before."""
    path = write_image(tmp_path / 'sub/a.png', (12, 16))
    before = NegativeFolder(str(tmp_path)).file_states()
    assert before == [('a.png', path.stat().st_size, path.stat().st_mtime_ns)]
    write_image(path, (40, 30))
    assert NegativeFolder(str(tmp_path)).file_states() != before


def test_no_image(tmp_path):
    """An empty folder would leave the class without a negative, unnoticed."""
    with pytest.raises(
        MissingFileError, match='has no .jpg or .jpeg or .png file; .*seam.negatives'
    ):
        NegativeFolder(str(tmp_path))
