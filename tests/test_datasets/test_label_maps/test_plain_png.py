"""Label PNGs past the general decoder: the same ids, and nothing else let through."""

import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from incseg.datasets.label_maps.label_file import SIGNATURE, read_plain_png


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
            SIGNATURE,
            chunk(b'IHDR', head),
            chunk(b'PLTE', bytes(768)),
            *(chunk(b'IDAT', packed[a:b]) for a, b in zip(cuts, cuts[1:])),
            chunk(b'IEND', b''),
        ]
    )


IDS = np.random.default_rng(0).integers(0, 256, (7, 11), dtype=np.uint8)


@pytest.mark.parametrize('parts', [1, 3, 20])
@pytest.mark.parametrize('colour', [0, 3])
def test_worked_example(parts, colour):
    """If it fails, labels are shifted or cut where a file has several data chunks."""
    data = png(IDS, colour=colour, parts=parts)
    np.testing.assert_array_equal(read_plain_png(data), IDS)
    np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(data))), IDS)


@pytest.mark.parametrize(
    'data',
    [
        png(IDS, row_filter=2),
        png(IDS, depth=4),
        png(IDS, colour=2),
        png(IDS, interlace=1),
        png(IDS, height=8),
        png(IDS, extra=b'x'),
        png(IDS)[:60],
        png(IDS)[:20],
        b'',
        b'GIF89a' * 9,
        png(IDS, height=1 << 30),
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
    data = bytearray(png(IDS))
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
