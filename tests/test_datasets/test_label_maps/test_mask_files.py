"""Masks as tools write them: more kinds of grey, and colours that stand for classes."""

import pickle

import numpy as np
import pytest
from PIL import Image

from incseg.datasets.label_maps.mask_file import ColourMasks, mask_pixels, read_mask, read_rgb
from incseg.datasets.label_maps.reader import LabelReader
from incseg.errors import InvalidInputError, MissingFileError

IDS = np.array([[0, 1, 1], [0, 1, 0]], np.uint8)
RED, GREEN = (200, 0, 0), (0, 200, 0)
COLOURS = np.array([[(0, 0, 0), RED, RED], [(0, 0, 0), GREEN, GREEN]], np.uint8)


def save(folder, image, name='m.png', **options):
    path = folder / name
    image.save(path, **options)
    return str(path)


@pytest.mark.parametrize(
    ('image', 'name'),
    [
        (Image.fromarray(IDS), 'm.png'),
        (Image.fromarray(IDS.astype(bool)), 'm.png'),
        (Image.fromarray(IDS.astype(np.uint16)), 'm.png'),
        (Image.fromarray(IDS.astype(np.int32)), 'm.tif'),
        (Image.fromarray(np.repeat(IDS[..., None], 3, 2)), 'm.png'),
        (Image.fromarray(np.dstack([IDS, IDS, IDS, IDS + 254])), 'm.png'),
        (Image.fromarray(np.dstack([IDS, IDS + 254])), 'm.png'),
        (Image.fromarray(IDS).convert('P'), 'm.bmp'),
    ],
    ids=['grey', 'bool', '16 bits', '32 bits', 'rgb', 'rgba', 'grey and opacity', 'bmp'],
)
def test_kinds_of_grey(tmp_path, image, name):
    """If it fails, masks that a tool wrote in another kind of picture are refused, or changed."""
    np.testing.assert_array_equal(read_mask(save(tmp_path, image, name)), IDS)


def test_grey_of_four_bits_is_not_stretched(tmp_path):
    """If it fails, the id 1 is read as 17."""
    path = save(tmp_path, Image.fromarray(IDS * 17), bits=4)
    with Image.open(path) as image:
        assert image.tile[0][3] == 'L;4'
    np.testing.assert_array_equal(read_mask(path), IDS)


@pytest.mark.parametrize(
    ('image', 'name', 'message'),
    [
        (Image.fromarray(COLOURS), 'm.png', r'has colours: .*\(200, 0, 0\) 33 %.*colours=FILE'),
        (Image.fromarray(COLOURS), 'm.jpg', 'is a JPEG, whose compression alters ids'),
        (Image.fromarray(IDS.astype(np.uint16) * 700), 'm.png', 'ids from 0 to 700, expected 0 to'),
    ],
)
def test_no_ids(tmp_path, image, name, message):
    """If it fails, colours or instances are trained on as classes."""
    with pytest.raises(InvalidInputError, match=message):
        read_mask(save(tmp_path, image, name))


def test_broken_and_missing_files(tmp_path):
    """If it fails, a damaged mask ends in PIL's own error."""
    (tmp_path / 'm.png').write_bytes(b'no picture')
    with pytest.raises(InvalidInputError, match=r'm\.png.* cannot be read .it is no image'):
        read_mask(tmp_path / 'm.png')
    with pytest.raises(MissingFileError, match='gone'):
        read_mask(tmp_path / 'gone.png')


def test_colours_become_ids(tmp_path):
    """If it fails, a class gets the pixels of another colour, in this process or in a worker."""
    reader = ColourMasks({(0, 0, 0): 0, RED: 1, GREEN: 255}, ['cat'])
    palette = Image.fromarray(np.array([[0, 7, 7], [0, 9, 9]], np.uint8))
    colours = np.zeros((256, 3), np.uint8)
    colours[[7, 9]] = RED, GREEN
    palette.putpalette(colours.ravel().tolist())
    for path in (save(tmp_path, Image.fromarray(COLOURS)), save(tmp_path, palette, 'p.png')):
        np.testing.assert_array_equal(read_rgb(path), COLOURS)
        for each in (reader, pickle.loads(pickle.dumps(reader))):
            assert each(path).tolist() == [[0, 1, 1], [0, 255, 255]]
    assert mask_pixels(tmp_path / 'm.png').ndim == 3 and mask_pixels(tmp_path / 'p.png').ndim == 2


def test_colours_of_no_class_are_named(tmp_path):
    """If it fails, pixels of a colour that nobody named are silently background."""
    path = save(tmp_path, Image.fromarray(COLOURS))
    message = r'm\.png.* has colours of no class: \(0, 200, 0\) 100 %, expected .*\(cat\)'
    with pytest.raises(InvalidInputError, match=message):
        ColourMasks({(0, 0, 0): 0, RED: 1}, ['cat'])(path)


def test_a_reader_keeps_how_files_are_read(tmp_path):
    """If it fails, a choice of classes reads colours as ids, or a cached scan of other colours."""
    read = ColourMasks({(0, 0, 0): 0, RED: 1, GREEN: 2}, ['cat', 'dog'])
    reader = LabelReader(2, read_file=read)
    path = save(tmp_path, Image.fromarray(COLOURS))
    assert reader.renumbered(1, [0, 255, 1])(path).tolist() == [[0, 255, 255], [0, 1, 1]]
    other = LabelReader(2, read_file=ColourMasks({(0, 0, 0): 0, RED: 2, GREEN: 1}))
    assert len({reader.cache_key, other.cache_key, LabelReader(2).cache_key}) == 3
