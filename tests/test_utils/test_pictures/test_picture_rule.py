"""Orientation and depth of pictures follow one rule; what it does not cover is refused or told."""

import io
import re
import struct
import warnings

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from incseg.errors import InvalidInputError
from incseg.utils.pictures import decode_picture, files
from incseg.utils.pictures.rule import PLAIN, PictureRule, turned

NOISE = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)
STORED = PictureRule(exif='ignore')


def encoded(kind, picture=NOISE, mode=None, **options):
    file = io.BytesIO()
    image = Image.fromarray(picture)
    (image.convert(mode) if mode else image).save(file, kind, **options)
    return file.getvalue()


def tagged(number):
    exif = Image.Exif()
    exif[0x0112] = number
    return exif


def refusal(data, rule=PLAIN):
    with pytest.raises(InvalidInputError) as error:
        decode_picture(data, 'bild', rule)
    assert '\n' not in str(error.value) and "'bild'" in str(error.value)
    return str(error.value)


@pytest.mark.parametrize('number', range(1, 9))
@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'TIFF', 'WEBP'])
@pytest.mark.parametrize('strict', [True, False])
def test_orientation(kind, number, strict, monkeypatch):
    """If it fails, a picture lies otherwise than viewers show it, or 'ignore' turns it too."""
    if not strict:  # a machine without a build of simplejpeg
        monkeypatch.setattr(files, 'simplejpeg', None)
    options = dict(lossless=True) if kind == 'WEBP' else dict(quality=95, subsampling=0)
    data = encoded(kind, exif=tagged(number), **(options if kind in ('JPEG', 'WEBP') else {}))
    shown = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert('RGB')
    np.testing.assert_array_equal(decode_picture(data, 'x')[..., ::-1], np.array(shown))
    options = options if kind in ('JPEG', 'WEBP') else {}
    np.testing.assert_array_equal(
        decode_picture(data, 'x', STORED), decode_picture(encoded(kind, **options), 'x')
    )


def test_turned_by_hand():
    """Row by row: the letters of a picture of 1 x 3 pixels, and where its beginning goes."""
    line = np.arange(3)[None, :, None].repeat(3, 2)
    shown = {n: turned(line, n)[..., 0].tolist() for n in range(1, 9)}
    assert shown[1] == shown[4] == [[0, 1, 2]] and shown[2] == shown[3] == [[2, 1, 0]]
    assert shown[5] == shown[6] == [[0], [1], [2]] and shown[7] == shown[8] == [[2], [1], [0]]
    column = line.transpose(1, 0, 2)
    assert turned(column, 6)[..., 0].tolist() == [[2, 1, 0]], 'clockwise: the top goes right'


DEEP = np.linspace(0, 4095, 384).reshape(16, 24).astype(np.uint16)


def tiff(values):
    """A TIFF of any dtype, uncompressed, one channel."""
    kind = {'u': 1, 'i': 2, 'f': 3}[values.dtype.kind]
    height, width = values.shape
    content = values.astype(values.dtype.newbyteorder('<')).tobytes()
    tags = {256: width, 257: height, 258: 8 * values.dtype.itemsize, 259: 1, 262: 1}
    tags |= {273: 134, 277: 1, 278: height, 279: len(content), 339: kind}
    entries = b''.join(struct.pack('<HHII', tag, 4, 1, value) for tag, value in tags.items())
    return b'II*\0' + struct.pack('<IH', 8, len(tags)) + entries + bytes(4) + content


def pgm(values, white):
    head = f'P5\n{values.shape[1]} {values.shape[0]}\n{white}\n'.encode()
    return head + values.astype('>u2' if white > 255 else 'u1').tobytes()


@pytest.mark.parametrize(
    ('data', 'dtype'),
    [
        (encoded('PNG', DEEP), 'uint16'),
        (cv2.imencode('.png', np.dstack([DEEP] * 3))[1].tobytes(), 'uint16'),
        (cv2.imencode('.png', np.dstack([DEEP] * 3 + [0 * DEEP + 65535]))[1].tobytes(), 'uint16'),
        (pgm(DEEP, 4095), 'uint16'),
        *((tiff(DEEP.astype(kind)), kind) for kind in ('uint16', 'int16', 'uint32', 'int32')),
        *((tiff(DEEP.astype(kind)), kind) for kind in ('float32', 'float64')),
        (tiff((DEEP // 33).astype('int8')), 'int8'),
        (cv2.imencode('.pfm', DEEP.astype(np.float32))[1].tobytes(), 'float32'),
        (cv2.imencode('.hdr', np.dstack([DEEP.astype(np.float32)] * 3))[1].tobytes(), 'float32'),
    ],
)
def test_more_than_8_bits(data, dtype):
    """If it fails, 12 bits become nearly black; scaled, they are within half a grey level."""
    message = refusal(data)
    assert f'has values of type {dtype}, from 0' in message
    assert re.search(r'value_range .*\[0(\.0)?, (4095|4080|255)(\.0)?\]', message)
    white = 4095 if dtype != 'int8' else 4095 / 33
    scaled = decode_picture(data, 'x', PictureRule(value_range=(0, white)))
    assert scaled.dtype == np.uint8 and scaled.shape == (16, 24, 3)
    slack = 3 if dtype == 'int8' or data[:2] == b'#?' else 0.51
    assert np.abs(scaled - DEEP[..., None] / 4095 * 255).max() <= slack


def test_beyond_the_range_and_no_numbers():
    """Values are cut off at black and white; NaN has no grey level at all."""
    rule = PictureRule(value_range=[1000, 2000])
    scaled = decode_picture(tiff(np.array([[0, 1000, 1500, 2000, 9000]], 'f4')), 'x', rule)
    assert scaled[0, :, 0].tolist() == [0, 0, 128, 255, 255]
    for value in (np.nan, np.inf):
        data = tiff(np.array([[0, value]], 'f4'))
        assert 'no finite numbers' in refusal(data) and 'no finite numbers' in refusal(data, rule)


def test_8_bits_are_never_scaled():
    """A data set may mix depths; what is 8 bits already stays as it is."""
    rule = PictureRule(value_range=(0, 4095))
    np.testing.assert_array_equal(decode_picture(encoded('PNG'), 'x', rule), NOISE[..., ::-1])


@pytest.mark.parametrize('white', [1, 15, 100, 255])
def test_white_of_a_pgm(white):
    """If it fails, a PGM whose white is 15 is nearly black."""
    values = np.arange(24).reshape(2, 12) * white // 23
    read = decode_picture(pgm(values, white), 'x')
    np.testing.assert_array_equal(read[..., 0], np.rint(values * 255 / white))


@pytest.mark.parametrize(
    ('kind', 'mode'),
    [
        *(('PNG', mode) for mode in ('1', 'L', 'P', 'LA', 'RGBA')),
        *(('TIFF', mode) for mode in ('1', 'L', 'P', 'RGBA', 'CMYK')),
        *(('BMP', mode) for mode in ('1', 'L', 'P')),
        *(('PPM', mode) for mode in ('1', 'L', 'RGB')),
        ('GIF', 'P'),
        ('JPEG', 'CMYK'),
    ],
)
def test_kinds_of_8_bits_and_less(kind, mode):
    """If it fails, pictures of this kind have other colours than viewers show."""
    data = encoded(kind, mode=mode)
    shown = np.array(Image.open(io.BytesIO(data)).convert('RGB')).astype(int)
    assert np.abs(decode_picture(data, 'x')[..., ::-1] - shown).max() <= 1


@pytest.mark.parametrize('kind', ['GIF', 'PNG', 'WEBP', 'TIFF'])
def test_several_frames(kind):
    """If it fails, one frame is taken in silence."""
    data = encoded(kind, save_all=True, append_images=[Image.fromarray(255 - NOISE)])
    assert 'has 2 frames, expected one' in refusal(data)


@pytest.mark.parametrize('kind', ['PNG', 'TIFF', 'WEBP', 'P'])
def test_transparent_pixels(kind, monkeypatch):
    """They are read as opaque; the first such picture is named, once.  (A TIFF decoder mixes them
    with black.)"""
    monkeypatch.setattr(files, '_transparent', [])
    alpha = np.full((16, 24, 1), 255, np.uint8)
    options = dict(lossless=True, exact=True) if kind == 'WEBP' else {}
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        decode_picture(encoded('PNG', np.dstack([NOISE, alpha])), 'opaque')
    alpha[3:5] = 0
    if kind == 'P':
        data = encoded(
            'PNG', mode='P', transparency=int(np.array(Image.fromarray(NOISE).convert('P'))[0, 0])
        )
        colours = np.array(Image.open(io.BytesIO(data)).convert('RGB'))
    else:
        data, colours = encoded(kind, np.dstack([NOISE, alpha]), **options), NOISE
    with pytest.warns(UserWarning, match="image 'x' has transparent pixels") as told:
        read = [decode_picture(data, name) for name in 'xy']
    assert len(told) == 1
    expected = colours * (alpha > 0) if kind == 'TIFF' else colours
    np.testing.assert_array_equal(read[0][..., ::-1], expected)


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        (dict(exif='turn'), "exif is 'turn', expected 'apply' or 'ignore'"),
        (dict(exif=True), 'exif is True'),
        *(
            (dict(value_range=value), 'value_range is .*, expected None, or the two values')
            for value in (4095, (0,), (5, 5), (9, 0), (0, float('nan')), 'ab', (0, '9'))
        ),
    ],
)
def test_refused_values(values, message):
    """A wrong switch must not be read as one of the two."""
    with pytest.raises(InvalidInputError, match=message):
        PictureRule(**values)
