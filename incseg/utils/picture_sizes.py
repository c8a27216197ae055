"""The sizes of pictures, from the head and the end of their files: no pixel is decoded.

A file that is cut short or no picture is found here too.
"""

import os
import struct
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from incseg.errors import InvalidInputError
from incseg.utils.file_digests import remembered_facts
from incseg.utils.pictures import JPEG, MOST_PIXELS, ORIENTATION, PNG, read_picture

#: height and width
Size = tuple[int, int]

#: JPEG's markers of a frame that every decoder reads: baseline, extended, progressive
_FRAMES = (0xC0, 0xC1, 0xC2)
#: markers before the frame that have no length
_BARE = (0x01, *range(0xD0, 0xD8))
_APP1, _SCAN, _END = 0xE1, 0xDA, b'\xff\xd9'
_PACKED = struct.Struct('<II')


def picture_sizes(
    paths: Sequence[str], update: Callable[[int], object] = lambda done: None
) -> list[Size]:
    """Return the size of each picture, as :func:`read_picture` would return it.

    Files of JPEG and PNG are read at their head and end only, others are decoded.  An unchanged
    file is not read again.

    Args:
        paths: The files.
        update: Called with the number of files that were read since the last call.

    Raises:
        MissingFileError: There is no such file.
        InvalidInputError: A file is no image, or cut short.
    """
    return _remembered(paths, 'picture_sizes', read_picture, True, update)


def label_map_sizes(
    paths: Sequence[str],
    read: Callable[[str], np.ndarray],
    update: Callable[[int], object] = lambda done: None,
) -> list[Size]:
    """Return the size of each label map; a file that is no PNG is read.

    Args:
        paths: The files.
        read: Returns the ids of a label map, ``(H, W)``.
        update: See :func:`picture_sizes`.

    Raises:
        MissingFileError: There is no such file.
        InvalidInputError: A PNG is cut short.
        Exception: Any error of ``read``.
    """
    return _remembered(paths, 'label_map_sizes', read, False, update)


def _remembered(
    paths: Sequence[str],
    kind: str,
    read: Callable[[str], np.ndarray],
    turned: bool,
    update: Callable[[int], object],
) -> list[Size]:
    def packed(path: str) -> bytes:
        size = size_at_a_glance(path, turned) or read(path).shape[:2]
        return _PACKED.pack(*size)

    facts = remembered_facts(paths, kind, _PACKED.size, packed, update)
    return [(height, width) for height, width in map(_PACKED.unpack, facts)]


def size_at_a_glance(path: str, turned: bool = True) -> Size | None:
    """Return the size of a JPEG or PNG that looks complete, without decoding it.

    Args:
        path: The file.
        turned: Whether the orientation in EXIF counts; a file of ids has none.

    Returns:
        Height and width; None for any other file, also a damaged one: it is for a decoder.
    """
    try:
        with open(path, 'rb', buffering=0) as file:
            number = file.fileno()
            head = os.pread(number, 33, 0)
            if head.startswith(PNG):
                size = _of_png(number, head, turned)
            elif head.startswith(JPEG):
                size = _of_jpeg(number, turned)
            else:
                return None
    except (OSError, ValueError):  # the decoder says what is wrong with it
        return None
    return size if size is not None and 0 < size[0] * size[1] <= MOST_PIXELS else None


def _of_png(number: int, head: bytes, turned: bool) -> Size | None:
    if len(head) < 33 or head[8:16] != b'\0\0\0\rIHDR':
        return None
    width, height = struct.unpack('>II', head[16:24])
    start = len(PNG)
    while len(chunk := os.pread(number, 8, start)) == 8:
        length, kind = int.from_bytes(chunk[:4], 'big'), chunk[4:]
        if kind == b'IEND':
            return (height, width) if len(os.pread(number, 12, start)) == 12 else None
        if kind == b'eXIf' and turned:
            return None
        start += length + 12
    return None


def _of_jpeg(number: int, turned: bool) -> Size | None:
    size, swapped, start = None, False, len(JPEG)
    while size is None:
        segment = os.pread(number, 9, start)
        if len(segment) < 9 or segment[0] != 0xFF or segment[1] in (_SCAN, *_BARE):
            return None
        if segment[1] == 0xFF:  # a byte that fills up
            start += 1
            continue
        length = int.from_bytes(segment[2:4], 'big')
        if segment[1] in _FRAMES and segment[4] == 8:
            size = struct.unpack('>HH', segment[5:9])
        elif segment[1] == _APP1 and turned:
            swapped |= is_on_its_side(os.pread(number, length - 2, start + 4))
        start += 2 + length
    if os.pread(number, 2, max(os.fstat(number).st_size - 2, 0)) != _END:
        return None
    height, width = size
    return (width, height) if swapped else (height, width)


def is_on_its_side(segment: bytes) -> bool:
    """Say whether EXIF data exchange the height and width of a picture.

    Args:
        segment: Content of a segment APP1 of a JPEG.

    Raises:
        ValueError: The data are damaged, or the orientation is none: a decoder shows what it
            makes of them.
    """
    if not segment.startswith(b'Exif\0\0'):
        return False
    exif = Image.Exif()
    try:
        exif.load(segment)
        orientation = exif.get(ORIENTATION, 1)
    except Exception as error:  # PIL raises errors of many kinds at damaged EXIF data
        raise InvalidInputError('damaged EXIF data') from error
    if orientation not in range(1, 9):
        raise InvalidInputError(f'orientation {orientation} in EXIF data')
    return orientation >= 5
