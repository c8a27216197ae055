import cv2
import numpy as np
import pytest

from incseg.errors import InvalidInputError, SaveError
from incseg.utils.pictures import write_picture

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
