"""The sizes of pictures, from the head and the end of their files: no pixel is decoded.

A file that is cut short or no picture is found here too.
"""

import os
import struct
from collections.abc import Callable, Sequence

import numpy as np

from incseg.utils.file_digests import remembered_facts
from incseg.utils.pictures.files import MOST_PIXELS, read_picture
from incseg.utils.pictures.headers import JPEG, PNG, exif_orientation, png_fault, read_header
from incseg.utils.pictures.rule import PLAIN, PictureRule

#: height and width
Size = tuple[int, int]

#: JPEG's markers of a frame that every decoder reads: baseline, extended, progressive
_FRAMES = (0xC0, 0xC1, 0xC2)
#: markers before the frame that have no length
_BARE = (0x01, *range(0xD0, 0xD8))
_APP1, _SCAN, _END = 0xE1, 0xDA, b'\xff\xd9'
EXIF = b'Exif\0\0'
_PACKED = struct.Struct('<II')


def picture_sizes(
    paths: Sequence[str],
    rule: PictureRule = PLAIN,
    update: Callable[[int], object] = lambda done: None,
) -> list[Size]:
    """Return the size of each picture, as :func:`read_picture` would return it.

    Ordinary JPEG files are read at their head and end only, of PNG files the checksums are
    verified, others are decoded.  An unchanged file is not read again.

    Args:
        paths: The files.
        rule: How pictures are read.
        update: Called with the number of files that were read since the last call.

    Raises:
        MissingFileError: There is no such file.
        InvalidInputError: A file is no image, or cut short, or the rule refuses it.
    """

    def read(path: str) -> np.ndarray:
        return read_picture(path, rule)

    kind = f'sound_picture_sizes_{rule.exif}_{"scaled" if rule.value_range else "8_bits"}'
    return _remembered(paths, kind, read, rule.exif == 'apply', update, verified=True)


def picture_orientations(paths: Sequence[str]) -> list[int]:
    """Return the EXIF orientation of each picture, 1 to 8; an unchanged file is not read again.

    Args:
        paths: The files.

    Raises:
        MissingFileError: There is no such file.
        InvalidInputError: A file cannot be read.
    """

    def orientation(path: str) -> bytes:
        header = read_header(path)
        return bytes([1 if header is None else header.orientation])

    return [fact[0] for fact in remembered_facts(paths, 'picture_orientations', 1, orientation)]


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
    verified: bool = False,
) -> list[Size]:
    def packed(path: str) -> bytes:
        size = size_at_a_glance(path, turned, verified) or read(path).shape[:2]
        return _PACKED.pack(*size)

    facts = remembered_facts(paths, kind, _PACKED.size, packed, update)
    return [(height, width) for height, width in map(_PACKED.unpack, facts)]


def size_at_a_glance(path: str, turned: bool = True, verified: bool = False) -> Size | None:
    """Return the size of a JPEG or PNG that looks complete, without decoding it.

    Args:
        path: The file.
        turned: Whether the orientation in EXIF counts; a file of ids has none.
        verified: Whether to verify the checksums of a PNG; masks are decoded by the scan anyway.

    Returns:
        Height and width; None for any other file, also a damaged one: it is for a decoder.
    """
    try:
        with open(path, 'rb', buffering=0) as file:
            number = file.fileno()
            head = os.pread(number, 33, 0)
            if head.startswith(PNG):
                size = _of_png(number, head)
                if verified and png_fault(file.read()):
                    return None
            elif head.startswith(JPEG):
                size = _of_jpeg(number, turned)
            else:
                return None
    except (OSError, ValueError):  # the decoder says what is wrong with it
        return None
    return size if size is not None and 0 < size[0] * size[1] <= MOST_PIXELS else None


def _of_png(number: int, head: bytes) -> Size | None:
    if len(head) < 33 or head[8:16] != b'\0\0\0\rIHDR' or head[24] > 8:
        return None
    width, height = struct.unpack('>II', head[16:24])
    start = len(PNG)
    while len(chunk := os.pread(number, 8, start)) == 8:
        length, kind = int.from_bytes(chunk[:4], 'big'), chunk[4:]
        if kind == b'IEND':
            return (height, width) if len(os.pread(number, 12, start)) == 12 else None
        if kind in (b'eXIf', b'acTL'):
            return None
        start += length + 12
    return None


def _of_jpeg(number: int, turned: bool) -> Size | None:
    size, orientation, start = None, 0, len(JPEG)
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
        elif segment[1] == _APP1 and turned and not orientation:
            content = os.pread(number, length - 2, start + 4)
            if content.startswith(EXIF):
                orientation = exif_orientation(content[len(EXIF) :])
        start += 2 + length
    if os.pread(number, 2, max(os.fstat(number).st_size - 2, 0)) != _END:
        return None
    height, width = size
    return (width, height) if orientation >= 5 else (height, width)
