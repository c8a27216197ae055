"""Painted predictions and picture files: wrong colours would show other classes."""

import cv2
import numpy as np
import pytest

from incseg.errors import InvalidInputError, SaveError
from incseg.utils.pictures import paint, write_picture

PALETTE = [[0, 0, 0], [255, 0, 0], [0, 100, 200]]  # RGB


@pytest.mark.parametrize('dtype', [np.uint8, np.int64])
def test_worked_example(dtype):
    """If it fails, red and blue are swapped, void is painted, or opacity is inverted."""
    image = np.full((1, 4, 3), 100, np.uint8)
    painted = paint(image, np.array([[0, 1, 2, 255]], dtype), PALETTE, opacity=0.25)
    assert painted.dtype == np.uint8
    assert painted[0].tolist() == [[75, 75, 75], [75, 75, 139], [125, 100, 75], [100, 100, 100]]


def test_opacity_limits():
    """If it fails, opacity 0 hides the image or opacity 1 lets it through."""
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    labels = np.array([[0, 1], [2, 255]], np.uint8)
    assert np.array_equal(paint(image, labels, PALETTE, 0.0), image)
    solid = paint(image, labels, PALETTE, 1.0)
    assert solid[0, 1].tolist() == [0, 0, 255]
    assert solid[1, 0].tolist() == [200, 100, 0]
    assert np.array_equal(solid[1, 1], image[1, 1])


def test_image_follows_the_labels_size():
    """If it fails, a prediction at the label's own size cannot be shown on a scaled image."""
    image = np.full((4, 6, 3), 80, np.uint8)
    painted = paint(image, np.full((8, 9), 255, np.uint8), PALETTE)
    assert painted.shape == (8, 9, 3)
    assert (painted == 80).all()


PICTURE = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)


def test_what_is_written(tmp_path):
    """The pixels, in a folder that was not there."""
    write_picture(tmp_path / 'a/b.png', PICTURE)
    assert np.array_equal(cv2.imread(str(tmp_path / 'a/b.png')), PICTURE)


@pytest.mark.parametrize('name', ['a.xyz', 'a'])
def test_a_format_that_does_not_exist(name, tmp_path):
    """A typing mistake is one line, not OpenCV's traceback; no folder is left behind."""
    with pytest.raises(InvalidInputError, match=f"{name}' has no ending of a picture"):
        write_picture(tmp_path / 'new' / name, PICTURE)
    assert not (tmp_path / 'new').exists()


def test_a_place_that_cannot_be_written(tmp_path):
    """A folder of the file's name is in the way."""
    (tmp_path / 'a.png').mkdir()
    with pytest.raises(SaveError, match=r"cannot write '.*a\.png'"):
        write_picture(tmp_path / 'a.png', PICTURE)
