import cv2
import numpy as np
import pytest

from incseg.datasets import LoadImage
from incseg.datasets.transforms import loading as load_image
from incseg.errors import InvalidInputError, MissingFileError


def test_colours_are_bgr(tmp_path):
    """The preprocessor swaps to RGB; loading RGB here would swap twice."""
    blue = np.zeros((5, 7, 3), np.uint8)
    blue[..., 0] = 200
    cv2.imwrite(str(tmp_path / 'b.png'), blue)
    results = LoadImage()(dict(img_path=str(tmp_path / 'b.png')))
    np.testing.assert_array_equal(results['img'], blue)
    assert results['img_shape'] == results['ori_shape'] == (5, 7)


def test_grey_files_become_three_channels(tmp_path):
    """Some photographs are stored grey."""
    cv2.imwrite(str(tmp_path / 'g.jpg'), np.full((4, 6), 77, np.uint8))
    assert LoadImage()(dict(img_path=str(tmp_path / 'g.jpg')))['img'].shape == (4, 6, 3)


def test_image_in_memory_is_kept():
    """Generated data bring their image along."""
    img = np.zeros((3, 4, 3), np.uint8)
    assert LoadImage()(dict(img=img))['img'] is img
    with pytest.raises(InvalidInputError, match=r"'in memory' is float64 \(3, 4, 3\); allowed is"):
        LoadImage()(dict(img=img.astype(float)))


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
@pytest.mark.parametrize('keep', [0.0, 0.3, 0.6, 0.95])
def test_cut_short_is_named(tmp_path, suffix, keep):
    """A half-copied JPEG decodes to a half grey picture in some OpenCV versions, silently."""
    path = tmp_path / f'cut{suffix}'
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    cv2.imwrite(str(path), noise)
    assert LoadImage()(dict(img_path=str(path)))['img'].shape == (60, 80, 3)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    with pytest.raises(InvalidInputError, match=f"image '.*cut{suffix}' .*; allowed is a complete"):
        LoadImage()(dict(img_path=str(path)))


def test_no_image_at_all(tmp_path):
    """Text and folders are named; so is what is not there."""
    (tmp_path / 't.jpg').write_text('not an image')
    for name, kind, message in (
        ('t.jpg', InvalidInputError, 'cannot be decoded'),
        ('', InvalidInputError, 'cannot be read'),
        ('none.jpg', MissingFileError, 'does not exist'),
    ):
        with pytest.raises(kind, match=message):
            LoadImage()(dict(img_path=str(tmp_path / name)))


@pytest.mark.parametrize(
    ('data', 'cut'),
    [
        (b'\xff\xd8 \xff\xda pixels \xff\xd9', False),
        (b'\xff\xd8 \xff\xda pixels \xff\xd9 padding', False),
        (b'\xff\xd8 \xff\xda pixels', True),
        (b'\xff\xd8 \xff\xda thumbnail \xff\xd9 \xff\xda pixels', True),
        (b'\xff\xd8 \xff\xda thumbnail \xff\xd9 \xff\xda pixels \xff\xd9', False),
        (b'\xff\xd8 head', False),  # OpenCV refuses that by itself
        (b'\x89PNG \xff\xda', False),
    ],
)
def test_end_of_the_last_scan(data, cut):
    """A thumbnail has an end of its own, which must not pass for the picture's."""
    assert load_image._is_cut_jpeg(data) is cut
