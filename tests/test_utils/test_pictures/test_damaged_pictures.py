"""Damaged pictures are refused in one line; whole ones are decoded as OpenCV decodes them."""

import io
import os
import random

import cv2
import numpy as np
import pytest
from PIL import Image

from incseg.errors import InvalidInputError
from incseg.utils.pictures import decode_picture, files, read_picture, write_picture


@pytest.fixture(scope='module')
def picture():
    """Noise on a gradient: every part of the file differs from every other."""
    noise = np.random.default_rng(0).integers(0, 64, (120, 160, 3))
    return (noise + np.arange(160)[None, :, None]).astype(np.uint8)


def encoded(picture, kind, mode='RGB', **options):
    file = io.BytesIO()
    Image.fromarray(picture[..., ::-1]).convert(mode).save(file, kind, **options)
    return file.getvalue()


def turned(number):
    exif = Image.Exif()
    exif[0x0112] = number
    return exif


def refusal(data):
    """The message that refuses the data; None if a picture came back."""
    try:
        decode_picture(data, 'bild.jpg')
    except InvalidInputError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    'options',
    [
        dict(kind='JPEG'),
        dict(kind='JPEG', subsampling=0, quality=95),
        dict(kind='JPEG', subsampling=1),
        dict(kind='JPEG', progressive=True),
        dict(kind='JPEG', mode='L'),
        dict(kind='JPEG', mode='CMYK'),
        *(dict(kind='JPEG', exif=turned(number)) for number in range(1, 9)),
        dict(kind='PNG'),
        dict(kind='PNG', mode='L'),
        dict(kind='PNG', mode='RGBA'),
        dict(kind='BMP'),
        dict(kind='WEBP', lossless=True),
    ],
)
@pytest.mark.parametrize('strict', [True, False])
def test_same_pixels_as_opencv(picture, options, strict, monkeypatch):
    """If it fails, networks see other pictures than before."""
    if not strict:  # a machine without a build of simplejpeg
        monkeypatch.setattr(files, 'simplejpeg', None)
    data = encoded(picture, **options)
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(decode_picture(data, 'x'), expected)


@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'BMP', 'WEBP'])
def test_every_truncation_is_refused(picture, kind, capfd):
    """If it fails, a half-copied file is trained on with a grey remainder."""
    data = encoded(picture, kind)
    rng = random.Random(0)
    for _ in range(200):
        message = refusal(data[: rng.randrange(1, len(data))])
        assert message is not None and '\n' not in message and "'bild.jpg'" in message
    assert capfd.readouterr().err == ''  # our message is the one line


def test_every_flip_in_a_png_is_refused(picture):
    """If it fails, a PNG with a wrong checksum is used."""
    data, rng = bytearray(encoded(picture, 'PNG')), random.Random(0)
    for _ in range(200):
        place, bit = rng.randrange(len(data)), 1 << rng.randrange(8)
        data[place] ^= bit
        assert refusal(bytes(data)) is not None, (place, bit)
        data[place] ^= bit


@pytest.mark.skipif(files.simplejpeg is None, reason='no build of simplejpeg here')
@pytest.mark.parametrize('mode', ['RGB', 'CMYK', 'L'])
def test_a_hole_in_a_jpeg_is_refused(picture, mode):
    """If it fails, libjpeg warns on stderr and what follows the hole is grey or shifted."""
    data = encoded(picture, 'JPEG', mode)
    begin = data.index(b'\xff\xda') + 20
    refused, rng = 0, random.Random(0)
    for _ in range(200):
        place = rng.randrange(begin, len(data) - 300)
        message = refusal(data[:place] + data[place + 200 :])
        refused += message is not None
        assert message is None or ('is damaged (' in message and '\n' not in message)
    assert refused > 190


@pytest.mark.parametrize('extra', [b'', b'padding'])
def test_harmless_oddities_are_read(picture, extra):
    """If it fails, pictures of some cameras, which libjpeg warns of too, stop a training."""
    data = encoded(picture, 'JPEG').replace(b'JFIF\0\x01', b'JFIF\0\x07', 1) + extra
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(decode_picture(data, 'x'), expected)


@pytest.mark.parametrize('ending', ['.png', '.jpg', '.bmp', '.webp'])
def test_names_that_are_not_utf_8(picture, ending, tmp_path):
    """If it fails, OpenCV ends the process with a segmentation fault at such a name."""
    path = tmp_path / f'bild_\udcff{ending}'
    write_picture(path, picture)
    assert os.listdir(bytes(tmp_path)) == [b'bild_\xff' + ending.encode()]
    read = read_picture(path)
    assert np.abs(read.astype(int) - picture).mean() < (1 if ending in ('.png', '.bmp') else 40)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(InvalidInputError, match=r'image .*bild_\\udcff.*expected a complete'):
        read_picture(path)


def test_a_name_that_no_file_can_have(tmp_path):
    """If it fails, a NUL in a list of images is a traceback."""
    with pytest.raises(InvalidInputError, match='cannot be read .*null'):
        read_picture(f'{tmp_path}/a\0.png')


def test_what_a_format_cannot_hold(tmp_path):
    """If it fails, OpenCV's traceback is the answer to a picture that is too wide for a format."""
    with pytest.raises(InvalidInputError, match='expected one that .webp can hold'):
        write_picture(tmp_path / 'a.webp', np.zeros((1, 20000, 3), np.uint8))
    assert not list(tmp_path.iterdir())
