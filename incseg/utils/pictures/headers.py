"""What the file of a picture says without being decoded: size, orientation, frames, wholeness."""

import io
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from incseg.errors import InvalidInputError, MissingFileError

try:  # three times faster than zlib's
    from isal.isal_zlib import crc32
except ImportError:
    from zlib import crc32  # type: ignore[assignment]

PNG = b'\x89PNG\r\n\x1a\n'
JPEG = b'\xff\xd8'
TIFF = (b'II*\0', b'MM\0*', b'II+\0\x08\0', b'MM\0+\0\x08')  # the last two with 64-bit places
ORIENTATION = 0x0112  # the tag in EXIF and TIFF
_WIDTH, _HEIGHT, _COLOURS, _SUBFILE, _EXTRA = 0x0100, 0x0101, 0x0106, 0x00FE, 0x0152
#: numbers of TIFF by their type: how many bytes, and struct's letter
_NUMBERS = {1: (1, 'B'), 3: (2, 'H'), 4: (4, 'I'), 16: (8, 'Q')}
#: markers of a JPEG without a length, and those that begin a frame with its size
_BARE = {0x01, *range(0xD0, 0xD9)}
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_MOST_PAGES = 1000
_SPACE = rb'(?:\s+|#[^\n]*\n)+'  # between the numbers of a PGM or PPM
_PNM = re.compile(rb'P[56]' + (_SPACE + rb'(\d+)') * 3 + rb'\s')
_PAM = re.compile(rb'P7\s.*?^MAXVAL\s+(\d+)', re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class PictureHeader:
    """What is known of a picture before it is decoded.

    Attributes:
        height, width: Size in pixels as stored, before any turn.
        orientation: EXIF's, 1 to 8; 1 without a tag, or with one that cannot be read.
        frames: Number of pictures in the file, as of an animation.
        alpha: Whether pixels may be transparent.
        lab: Whether colours are those of CIE Lab, which readers turn into different RGB.
    """

    height: int
    width: int
    orientation: int = 1
    frames: int = 1
    alpha: bool = False
    lab: bool = False

    @property
    def turned_size(self) -> tuple[int, int]:
        """``(height, width)`` after the turn that the orientation asks for."""
        size = self.height, self.width
        return size if self.orientation < 5 else size[::-1]


def read_header(path: str | os.PathLike) -> PictureHeader | None:
    """Read the header of a picture's file; of a JPEG only the beginning of the file is read.

    Args:
        path: The file; its name need not be UTF-8.

    Returns:
        The header; None if the file is no picture, or its header is damaged.

    Raises:
        MissingFileError: There is no such file.
        InvalidInputError: The file cannot be read.
    """
    path = os.fspath(path)
    try:
        with open(path, 'rb') as file:
            data = file.read(1 << 16)
            header = picture_header(data) if data.startswith(JPEG) else None
            return header or picture_header(data + file.read())
    except FileNotFoundError as error:
        raise MissingFileError(f'image {path!r} does not exist') from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InvalidInputError(f'image {path!r} cannot be read ({error})') from error


def picture_header(data: bytes) -> PictureHeader | None:
    """Return the header of a picture.

    Args:
        data: The file's content; of a JPEG its beginning is enough.

    Returns:
        The header; None if the data are no picture, or its header is damaged.
    """
    try:
        if data.startswith(JPEG):
            return _jpeg(data)
        if data.startswith(PNG):
            return _png(data)
        if data.startswith(TIFF):
            return _tiff(data)
        if data.startswith(b'RIFF') and data[8:12] == b'WEBP':
            return _webp(data)
    except (struct.error, IndexError):  # the data end too early
        return None
    return _other(data)


def _jpeg(data: bytes) -> PictureHeader | None:
    place, orientation = 2, 0
    while data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # padding
            place += 1
            continue
        if marker in _BARE:
            place += 2
            continue
        if marker in _FRAMES:
            height, width = struct.unpack_from('>HH', data, place + 5)
            return PictureHeader(height, width, orientation or 1)
        (length,) = struct.unpack_from('>H', data, place + 2)
        end = place + 2 + length
        if marker == 0xE1 and not orientation and data[place + 4 : place + 10] == b'Exif\0\0':
            orientation = exif_orientation(data[place + 10 : end])
        if marker in (0xD9, 0xDA):
            return None
        place = end
    return None


def _png(data: bytes) -> PictureHeader | None:
    width, height = struct.unpack_from('>II', data, 16)
    orientation = frames = 1
    alpha = data[25] in (4, 6)
    for kind, start, end in _png_chunks(data):
        alpha |= kind == b'tRNS'
        if kind == b'eXIf':
            orientation = exif_orientation(data[start:end])
        elif kind == b'acTL':
            (frames,) = struct.unpack_from('>I', data, start)
    return PictureHeader(height, width, orientation, frames, alpha)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind of each whole chunk, and where its content begins and ends."""
    place = len(PNG)
    while place + 12 <= len(data):
        end = place + 8 + int.from_bytes(data[place : place + 4], 'big')
        if end + 4 > len(data):
            return
        yield data[place + 4 : place + 8], place + 8, end
        place = end + 4


def _webp(data: bytes) -> PictureHeader | None:
    orientation, frames, alpha, place = 1, 0, False, 12
    while place + 8 <= len(data):
        kind, length = struct.unpack_from('<4sI', data, place)
        if kind == b'EXIF':
            content = data[place + 8 : place + 8 + length]
            orientation = exif_orientation(content.removeprefix(b'Exif\0\0'))
        frames += kind == b'ANMF'
        alpha |= (kind == b'VP8X' and bool(data[place + 8] & 0x10)) or kind == b'VP8L'
        place += 8 + length + length % 2
    other = _other(data)
    return other and PictureHeader(other.height, other.width, orientation, max(frames, 1), alpha)


def _tiff(data: bytes) -> PictureHeader | None:
    pages = list(tiff_pages(data))
    first = {tag: number(data, *entry) for tag, entry in pages[0].items()}
    # a page that is a smaller copy or a mask of another is no further picture
    frames = sum(not (number(data, *page[_SUBFILE]) if _SUBFILE in page else 0) for page in pages)
    if not (first.get(_HEIGHT) and first.get(_WIDTH)):
        return None
    alpha, lab = first.get(_EXTRA) in (1, 2), first.get(_COLOURS) in (8, 9, 10)
    size = first[_HEIGHT], first[_WIDTH]
    return PictureHeader(*size, exif_orientation(data), max(frames, 1), alpha, lab)


def _other(data: bytes) -> PictureHeader | None:
    """Return the header of a picture of any other kind, as PIL reads it."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            orientation = image.getexif().get(ORIENTATION, 1) if image.format == 'AVIF' else 1
            frames = getattr(image, 'n_frames', 1)
            return PictureHeader(image.height, image.width, orientation, frames)
    except Exception:  # PIL raises errors of many kinds at damaged data
        return None


def exif_orientation(exif: bytes) -> int:
    """Return the orientation that EXIF data name, 1 to 8; 1 if they do not, or are damaged."""
    value = _orientation(exif)[0]
    return value if 1 <= value <= 8 else 1


def _orientation(data: bytes) -> tuple[int, int, int]:
    """Return value, type and place of a TIFF's orientation; zeros without one, or if damaged."""
    try:
        kind, place = next(tiff_pages(data)).get(ORIENTATION, (0, 0))
        return number(data, kind, place), kind, place
    except (struct.error, IndexError, StopIteration):
        return 0, 0, 0


def tiff_pages(data: bytes) -> Iterator[dict[int, tuple[int, int]]]:
    """Yield the entries of each page of a TIFF: for each tag its type, and its value's place.

    The place is right for values of one number.

    Args:
        data: A TIFF's content, or EXIF data.

    Raises:
        struct.error: The data end too early.
    """
    if not data.startswith(TIFF):
        return
    order, large = _order(data), data[2:4] in (b'+\0', b'\0+')
    count_form, entry_size, place_form = ('Q', 20, 'Q') if large else ('H', 12, 'I')
    (page,) = struct.unpack_from(order + place_form, data, 8 if large else 4)
    for _ in range(_MOST_PAGES):  # a damaged chain of pages may have no end
        if not page:
            return
        (count,) = struct.unpack_from(order + count_form, data, page)
        start = page + struct.calcsize(count_form)
        entries: dict[int, tuple[int, int]] = {}
        for place in range(start, start + min(count, 1 << 16) * entry_size, entry_size):
            tag, kind = struct.unpack_from(order + 'HH', data, place)
            entries.setdefault(tag, (kind, place + (12 if large else 8)))
        yield entries
        (page,) = struct.unpack_from(order + place_form, data, start + count * entry_size)


def number(data: bytes, kind: int, place: int) -> int:
    """Return the number of an entry of :func:`tiff_pages`; 0 if it is none."""
    if kind not in _NUMBERS:
        return 0
    value: int = struct.unpack_from(_order(data) + _NUMBERS[kind][1], data, place)[0]
    return value


def _order(data: bytes) -> str:
    return '<' if data.startswith(b'II') else '>'


def without_orientation(data: bytes) -> bytes:
    """Return a TIFF whose orientation is 1, so that no decoder turns its pixels.

    Args:
        data: Content of the file.
    """
    value, kind, place = _orientation(data)
    if not value:
        return data
    size, letter = _NUMBERS[kind]
    return data[:place] + struct.pack(_order(data) + letter, 1) + data[place + size :]


def pnm_white(data: bytes) -> int | None:
    """Return the value that stands for white in a binary PGM, PPM or PAM; None for other files.

    Args:
        data: The file's content; its beginning is enough.
    """
    found = _PNM.match(data) or _PAM.match(data[:1000])
    return int(found.groups()[-1]) if found else None


def is_cut_jpeg(data: bytes) -> bool:
    """Return whether a JPEG lacks the end marker after its last scan.

    Some versions of OpenCV fill the missing part with grey without an error.
    """
    if not data.startswith(JPEG):
        return False
    end = data.rfind(b'\xff\xd9')  # at the end of a complete file: a short search
    return data.find(b'\xff\xda', max(end, 0)) >= 0


def png_fault(data: bytes) -> str | None:
    """Return what is wrong with the chunks of a PNG, in words; None if nothing is.

    Decoders check the chunks that they need, if any: not all of a palette's, for
    instance.

    Args:
        data: Content of the file, from its signature on.
    """
    view = memoryview(data)
    for kind, start, end in _png_chunks(data):
        if crc32(view[start - 4 : end]) != int.from_bytes(data[end : end + 4], 'big'):
            return f'the checksum of chunk {kind!r} is wrong'
        if kind == b'IEND':
            return None
    return 'it is cut short'
