import pytest

from incseg.datasets import MaskImageLabels, ShapesDataset
from incseg.errors import MissingFileError


def test_void_is_no_class(voc, shown):
    """Worked example: 255 is ignored, an image of background and void shows nothing."""
    assert shown(MaskImageLabels(voc).labels(['c', 'a', 'b'])) == [[0], [0, 1], [0, 15]]


def test_equals_the_class_index():
    """Images selected by these labels are those that the masks would select."""
    data = ShapesDataset(length=12, size=32)
    rows = MaskImageLabels(data).labels(data.image_ids)
    assert (rows[:, 1:] == data.presence()[:, 1:]).all() and rows[:, 1:].any()


def test_foreign_image_is_named(voc):
    """An id of another split has no mask here."""
    with pytest.raises(MissingFileError, match="image 'z' is not one of the 3 images of VOCData"):
        MaskImageLabels(voc).labels(['a', 'z'])
