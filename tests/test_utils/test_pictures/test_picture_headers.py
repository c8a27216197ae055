"""What a picture's file says without being decoded: size, orientation, frames, alpha."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from incseg.errors import InvalidInputError, MissingFileError
from incseg.utils.pictures import decode_picture
from incseg.utils.pictures.headers import (
    PictureHeader,
    exif_orientation,
    picture_header,
    pnm_white,
    read_header,
    without_orientation,
)

NOISE = np.random.default_rng(0).integers(0, 256, (9, 20, 3), np.uint8)
KINDS = ['JPEG', 'PNG', 'TIFF', 'WEBP', 'AVIF']


def encoded(kind, mode='RGB', picture=NOISE, **options):
    file = io.BytesIO()
    Image.fromarray(picture).convert(mode).save(file, kind, **options)
    return file.getvalue()


def tagged(number):
    exif = Image.Exif()
    exif[0x0112] = number
    return exif


@pytest.mark.parametrize('number', range(1, 9))
@pytest.mark.parametrize('kind', KINDS)
def test_size_and_orientation(kind, number):
    """If it fails, such pictures are not turned, or masks are compared with a wrong size."""
    header = picture_header(encoded(kind, exif=tagged(number)))
    assert header == PictureHeader(9, 20, number)
    assert header.turned_size == ((9, 20) if number < 5 else (20, 9))


@pytest.mark.parametrize('kind', [*KINDS, 'BMP', 'GIF', 'PPM', 'JPEG2000'])
def test_without_a_tag(kind):
    """If it fails, pictures without a tag are refused, or turned."""
    header = picture_header(encoded(kind))
    assert (header.height, header.width, header.orientation, header.frames) == (9, 20, 1, 1)


@pytest.mark.parametrize('kind', ['GIF', 'PNG', 'WEBP', 'TIFF'])
def test_frames(kind):
    """If it fails, the first frame of an animation is taken for the picture of the mask."""
    more = [Image.fromarray(255 - NOISE), Image.fromarray(NOISE // 2)]
    assert picture_header(encoded(kind, save_all=True, append_images=more)).frames == 3


@pytest.mark.parametrize(
    ('kind', 'mode', 'alpha'),
    [
        ('PNG', 'RGBA', True),
        ('PNG', 'LA', True),
        ('PNG', 'RGB', False),
        ('PNG', 'P', False),
        ('TIFF', 'RGBA', True),
        ('TIFF', 'RGB', False),
        ('WEBP', 'RGB', False),
    ],
)
def test_alpha(kind, mode, alpha):
    """If it fails, transparent pixels get a colour in silence."""
    assert picture_header(encoded(kind, mode)).alpha is alpha


@pytest.mark.parametrize(('mode', 'lab'), [('LAB', True), ('RGB', False), ('CMYK', False)])
def test_lab_is_refused(mode, lab):
    """If it fails, a TIFF in CIE Lab is learned in colours that depend on the reader."""
    data = encoded('TIFF', mode)
    assert picture_header(data).lab is lab
    if lab:
        with pytest.raises(InvalidInputError, match="'a.tif' has the colours of CIE Lab"):
            decode_picture(data, 'a.tif')
    else:
        assert decode_picture(data, 'a.tif').shape[2] == 3


def test_transparent_entry_of_a_palette():
    """A palette PNG keeps transparency in a chunk of its own, a WebP in its flags."""
    assert picture_header(encoded('PNG', 'P', transparency=3)).alpha
    half = np.dstack([NOISE, np.full(NOISE.shape[:2], 128, np.uint8)])
    file = io.BytesIO()
    Image.fromarray(half).save(file, 'WEBP')
    assert picture_header(file.getvalue()).alpha


def test_exif_after_the_pixels_of_a_png():
    """PNG allows the chunk after the pixels too."""
    data = encoded('PNG', exif=tagged(6))
    at = data.index(b'eXIf') - 4
    (length,) = struct.unpack('>I', data[at : at + 4])
    chunk, rest = data[at : at + 12 + length], data[:at] + data[at + 12 + length :]
    assert picture_header(rest[:-12] + chunk + rest[-12:]).orientation == 6


def exif_of(kind, value, order='<'):
    form = {1: 'B3x', 3: 'Hxx', 4: 'I', 2: '4s'}[kind]
    magic = (b'II' if order == '<' else b'MM') + struct.pack(order + 'HI', 42, 8)
    entry = struct.pack(order + 'HHI' + form, 0x0112, kind, 1, value)
    return magic + struct.pack(order + 'H', 1) + entry + bytes(4)


@pytest.mark.parametrize('order', '<>')
@pytest.mark.parametrize('kind', [1, 3, 4])
def test_both_byte_orders_and_all_sizes_of_numbers(order, kind):
    """Some writers store the tag in a byte or in 32 bits."""
    assert exif_orientation(exif_of(kind, 6, order)) == 6


@pytest.mark.parametrize(
    'exif',
    [
        b'',
        b'II*\0',
        b'text',
        exif_of(3, 0),
        exif_of(3, 9),
        exif_of(2, b'6'),
        exif_of(3, 6)[:18],
        b'II*\0' + struct.pack('<I', 1 << 31),
    ],
)
def test_damaged_exif_is_none(exif):
    """If it fails, a strange tag ends a training, or turns a picture."""
    assert exif_orientation(exif) == 1


def test_a_chain_of_pages_without_end():
    """If it fails, a damaged TIFF is read for ever."""
    data = bytearray(exif_of(3, 6))
    data[-4:] = struct.pack('<I', 8)
    assert exif_orientation(bytes(data)) == 6 and picture_header(bytes(data)) is None


@pytest.mark.parametrize('kind', [*KINDS, 'GIF', 'BMP'])
def test_cut_short(kind):
    """No cut of a file raises an error: it is for the decoder to refuse it."""
    data = encoded(kind, exif=tagged(6)) if kind in KINDS else encoded(kind)
    for length in range(0, len(data), 1 + len(data) // 150):
        picture_header(data[:length])


def test_tiff_without_its_orientation():
    """Only the tag changes."""
    data = encoded('TIFF', exif=tagged(8))
    plain = without_orientation(data)
    assert picture_header(plain) == PictureHeader(9, 20)
    assert len(plain) == len(data) and sum(a != b for a, b in zip(plain, data)) == 1


@pytest.mark.parametrize(
    ('data', 'white'),
    [
        (b'P5\n4 3\n15\n', 15),
        (b'P6 # a\n# b\n4 3 4095\n', 4095),
        (b'P7\nWIDTH 2\nHEIGHT 1\nDEPTH 1\nMAXVAL 100\nENDHDR\n', 100),
        (b'P2\n4 3\n15\n', None),
        (b'\xff\xd8', None),
    ],
)
def test_white_of_a_pgm(data, white):
    """The decoder scales the values of files in text, and leaves those of binary files."""
    assert pnm_white(data) == white


def test_files(tmp_path):
    """A JPEG with much before its size, a file that is no picture, and none at all."""
    long = tmp_path / 'long.jpg'
    data = encoded('JPEG', exif=tagged(6))
    long.write_bytes(data[:2] + 3 * (b'\xff\xe2\xff\xff' + bytes(0xFFFD)) + data[2:])
    assert read_header(long) == PictureHeader(9, 20, 6)
    (tmp_path / 'text.jpg').write_text('text')
    assert read_header(tmp_path / 'text.jpg') is None
    with pytest.raises(MissingFileError, match="no.jpg' does not exist"):
        read_header(tmp_path / 'no.jpg')
    with pytest.raises(InvalidInputError, match='cannot be read'):
        read_header(tmp_path)
