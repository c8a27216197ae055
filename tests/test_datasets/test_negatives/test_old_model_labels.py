import numpy as np
import pytest

from incseg.datasets import OldModelLabels
from incseg.errors import InvalidInputError


def label(**pixels):
    """A label map of 100 pixels with so many of each class, ``_3=20``; the rest is background."""
    flat = np.zeros(100, np.uint8)
    start = 0
    for name, count in pixels.items():
        flat[start:start + count] = int(name[1:])
        start += count
    return flat.reshape(10, 10)


SURE = np.ones((10, 10), np.float32)


def test_share_of_pixels():
    """From the share on, exactly; the background is no class."""
    remedy = OldModelLabels(share=.05)
    assert remedy.look(label(_3=5, _7=4, _2=20), SURE) == [2, 3]
    assert remedy.look(label(), SURE) == []
    assert OldModelLabels(share=.04).look(label(_3=5, _7=4), SURE) == [3, 7]


def test_useful_classes_become_columns():
    """A class in no image or in all would tell nothing: it is left out."""
    remedy = OldModelLabels()
    remedy.gather(None, [4, 8, 9], [[2, 7], [2], [2, 3]])
    assert remedy.class_ids == (3, 7)
    assert remedy.image_labels.tolist() == [[False, True], [False, False], [True, False]]
    assert len(remedy) == 0, 'no further image'


@pytest.mark.parametrize('found', [[[], []], [[2], [2]]])
def test_nothing_to_tell_from(found):
    """The training would be as degenerate as without."""
    with pytest.raises(InvalidInputError, match="type='OldModelLabels', share=0.01.*no old class"):
        OldModelLabels().gather(None, [0, 1], found)


@pytest.mark.parametrize('share', [0, 1.5])
def test_bad_share(share):
    """0 would find every class everywhere."""
    with pytest.raises(InvalidInputError, match=f'share is {share}; allowed is above 0'):
        OldModelLabels(share)
