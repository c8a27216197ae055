import numpy as np
import pytest

from incseg.datasets import OldModelLabels
from incseg.errors import InvalidInputError

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
