"""Label files: the same ids come back, and a damaged or foreign file is refused by name."""

import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from incseg.datasets import colour_map, read_label_file
from incseg.datasets.label_maps.label_file import read_plain_png, write_label_file
from incseg.errors import InvalidInputError, MissingFileError, SaveError
from incseg.utils.pictures.headers import PNG

IDS = np.arange(256, dtype=np.uint8).reshape(16, 16)


@pytest.mark.parametrize('palette', [True, False])
def test_every_id_survives(tmp_path, write_label, palette):
    """If this fails, a palette was expanded to colours or grey was rescaled: wrong classes."""
    read = read_label_file(write_label(tmp_path / 'a.png', IDS, palette))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, IDS)


def test_palette_of_few_bits_keeps_its_indices(tmp_path):
    """Annotation tools write palettes of 4 bits; their indices are ids as they are."""
    image = Image.fromarray(IDS % 16)
    image.putpalette(list(range(48)))
    image.save(tmp_path / 'a.png', bits=4)
    np.testing.assert_array_equal(read_label_file(tmp_path / 'a.png'), IDS % 16)


def test_grey_of_four_bits_is_refused(tmp_path):
    """PIL stretches it (id 1 reads as 17, a valid VOC class), so it must not pass silently."""
    Image.fromarray(IDS % 16).save(tmp_path / 'a.png', bits=4)
    with pytest.raises(InvalidInputError, match=r"a\.png' is grey of 4 bits, expected an 8-bit"):
        read_label_file(tmp_path / 'a.png')


@pytest.mark.parametrize(
    ('name', 'image', 'message'),
    [
        ('rgb.png', Image.new('RGB', (4, 4)), "of mode 'RGB' instead of one 8-bit channel"),
        ('deep.png', Image.fromarray(np.zeros((4, 4), np.uint16)), "of mode 'I;16'"),
        ('bits.png', Image.new('1', (4, 4)), "of mode '1'"),
        ('lossy.jpg', Image.new('L', (4, 4)), 'a JPEG, whose compression alters ids'),
    ],
)
def test_images_that_hold_no_ids_are_refused(tmp_path, name, image, message):
    """Colours, 16 bits or lossy coding would be read as nonsense ids."""
    image.save(tmp_path / name)
    with pytest.raises(InvalidInputError, match=message) as error:
        read_label_file(tmp_path / name)
    assert name in str(error.value) and '\n' not in str(error.value)


@pytest.mark.parametrize('keep', [0.0, 0.001, 0.05, 0.5, 0.97])
def test_cut_short_is_named(tmp_path, write_label, keep):
    """A half-copied file must stop the run by name, not end in a partial mask."""
    noise = np.random.default_rng(0).integers(0, 21, (40, 60))
    path = write_label(tmp_path / 'cut.png', noise, palette=False)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    with pytest.raises(InvalidInputError, match=r"label file '.*cut\.png' cannot be read \("):
        read_label_file(path)


def test_text_and_folder_are_named(tmp_path):
    """Something that is no image at all is the user's mistake, with one line."""
    (tmp_path / 'text.png').write_text('hello')
    (tmp_path / 'empty.png').write_bytes(b'')
    for name, reason in (('text.png', 'it is no image'), ('empty.png', 'an empty file'), ('', '')):
        with pytest.raises(InvalidInputError, match=rf'cannot be read \(.*{reason}') as error:
            read_label_file(tmp_path / name)
        assert '0x' not in str(error.value)


def test_missing_is_named(tmp_path):
    """The path that was looked for is the first thing one wants to know."""
    with pytest.raises(MissingFileError, match=r"label file '.*none\.png' does not exist"):
        read_label_file(tmp_path / 'none.png')


def test_written_whole_or_not_at_all(tmp_path):
    """Every id comes back; a viewer shows VOC's colours; what cannot be written leaves nothing."""
    write_label_file(tmp_path / 'new/a.png', IDS)
    np.testing.assert_array_equal(read_label_file(tmp_path / 'new/a.png'), IDS)
    with Image.open(tmp_path / 'new/a.png') as image:
        assert image.mode == 'P' and image.convert('RGB').getpixel((15, 0)) == (192, 128, 128)
    with pytest.raises(SaveError, match='cannot write'):
        write_label_file(tmp_path / 'new/a.png/b.png', IDS)
    assert [path.name for path in (tmp_path / 'new').iterdir()] == ['a.png']


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


def png(ids, depth=8, colour=3, interlace=0, row_filter=0, parts=1, height=None, extra=b''):
    """A PNG written by hand from the format's definition."""
    rows = b''.join(bytes([row_filter]) + row.tobytes() for row in ids) + extra
    packed = zlib.compress(rows)
    cuts = [len(packed) * i // parts for i in range(parts + 1)]
    head = struct.pack(
        '>IIBBBBB', ids.shape[1], height or ids.shape[0], depth, colour, 0, 0, interlace
    )
    return b''.join(
        [
            PNG,
            chunk(b'IHDR', head),
            chunk(b'PLTE', bytes(768)),
            *(chunk(b'IDAT', packed[a:b]) for a, b in zip(cuts, cuts[1:])),
            chunk(b'IEND', b''),
        ]
    )


NOISE = np.random.default_rng(0).integers(0, 256, (7, 11), dtype=np.uint8)


@pytest.mark.parametrize('parts', [1, 3, 20])
@pytest.mark.parametrize('colour', [0, 3])
def test_worked_example(parts, colour):
    """If it fails, labels are shifted or cut where a file has several data chunks."""
    data = png(NOISE, colour=colour, parts=parts)
    np.testing.assert_array_equal(read_plain_png(data), NOISE)
    np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(data))), NOISE)


@pytest.mark.parametrize(
    'data',
    [
        png(NOISE, row_filter=2),
        png(NOISE, depth=4),
        png(NOISE, colour=2),
        png(NOISE, interlace=1),
        png(NOISE, height=8),
        png(NOISE, extra=b'x'),
        png(NOISE)[:60],
        png(NOISE)[:20],
        b'',
        b'GIF89a' * 9,
        png(NOISE, height=1 << 30),
    ],
    ids=[
        'filtered',
        '4 bits',
        'colours',
        'interlaced',
        'rows missing',
        'too long',
        'cut data',
        'cut head',
        'empty',
        'no PNG',
        'bomb',
    ],
)
def test_everything_else_is_left_alone(data):
    """If it fails, a damaged or foreign file passes for a label map instead of being refused."""
    assert read_plain_png(data) is None


def test_a_damaged_stream_is_left_alone():
    """If it fails, flipped bits become labels: the stream's own checksum must be looked at."""
    data = bytearray(png(NOISE))
    data[data.index(b'IDAT') + 20] ^= 255
    assert read_plain_png(bytes(data)) is None


def test_all_masks_of_voc(shared_data):
    """If it fails, the class index and the training read other labels than PIL does."""
    archive = zipfile.ZipFile(shared_data / 'voc2012_aug/SegmentationClassAug.zip')
    names = [name for name in archive.namelist() if name.endswith('.png')]
    assert len(names) == 12031
    for name in names[::60]:
        data = archive.read(name)
        np.testing.assert_array_equal(read_plain_png(data), np.array(Image.open(io.BytesIO(data))))


def test_published_voc_colours():
    """The colours printed in the VOC development kit; others would misread its palette PNGs."""
    colours = colour_map(256)
    assert colours[:4] == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]
    assert colours[15] == [192, 128, 128]  # person
    assert colours[20] == [0, 64, 128]  # tvmonitor
    assert colours[255] == [224, 224, 192]  # void


def test_no_colour_twice():
    """Two classes in one colour cannot be told apart in a picture."""
    assert len({tuple(c) for c in colour_map(256)}) == 256
