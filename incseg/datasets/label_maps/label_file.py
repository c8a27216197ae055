"""Label maps on disk: 8-bit palette or grey PNGs whose pixel values are ids."""

import io
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from incseg.errors import InvalidInputError, MissingFileError
from incseg.utils.files import write_atomically
from incseg.utils.pictures.headers import PNG, picture_header, png_fault

try:  # inflates three to four times faster than zlib
    from isal.isal_zlib import decompressobj, error
except ImportError:  # there is no build for this machine
    from zlib import decompressobj, error  # type: ignore[assignment]

_EXPECTED = 'expected an 8-bit palette or grey PNG whose pixel values are class ids'
#: errors of PIL and of our own decoder at a file that is no sound picture
BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
#: PIL stretches grey of fewer bits to 0..255 (4-bit id 1 becomes 17), a wrong id.
STRETCHED = ('L;2', 'L;4')


def read_label_file(path: str | os.PathLike) -> np.ndarray:
    """Read the ids of a label map, unchanged.

    Files that :func:`read_plain_png` does not decode are read with PIL, which
    returns the indices of a palette image; OpenCV would return its colours.

    Args:
        path: A palette or grey image of 8 bits.

    Returns:
        uint8 ``(H, W)``, the ids in the file.

    Raises:
        MissingFileError: There is no such file.
        InvalidInputError: The file is cut short, is not an image, or has
            colours, 16 bits, a lossy coding or an EXIF orientation instead of plain ids.
    """
    path = os.fspath(path)
    try:
        with open(path, 'rb') as file:
            data = file.read()
        if not data:
            raise InvalidInputError(
                f'label file {path!r} cannot be read (it is an empty file), {_EXPECTED}'
            )
        if data.startswith(PNG) and (fault := png_fault(data)):
            raise InvalidInputError(f'label file {path!r} cannot be read ({fault}), {_EXPECTED}')
        if b'eXIf' in data or not data.startswith(PNG):
            _refuse_turned(data, path)
        ids = read_plain_png(data)
        if ids is not None:
            return np.ascontiguousarray(ids)
        with Image.open(io.BytesIO(data)) as image:
            kind = _refused_kind(image)
            if kind is None:
                return np.array(image, dtype=np.uint8)
    except FileNotFoundError as error:
        raise MissingFileError(f'label file {path!r} does not exist') from error
    except InvalidInputError:
        raise
    except UnidentifiedImageError as error:
        raise InvalidInputError(
            f'label file {path!r} cannot be read (it is no image), {_EXPECTED}'
        ) from error
    except BROKEN as error:
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise InvalidInputError(
            f'label file {path!r} cannot be read ({reason}), {_EXPECTED}'
        ) from error
    raise InvalidInputError(f'label file {path!r} is {kind}, {_EXPECTED}')


def write_label_file(
    path: str | os.PathLike, ids: np.ndarray, palette: Sequence[Sequence[int]] | None = None
) -> None:
    """Write a label map as a palette PNG, whole or not at all.

    Args:
        path: The file; its folder is created.
        ids: uint8 ``(H, W)``.
        palette: The colour of each id, ``[r, g, b]``, up to 256; None for VOC's colours.

    Raises:
        SaveError: The file cannot be written.
    """
    image = Image.fromarray(np.ascontiguousarray(ids))
    image.putpalette(_PALETTE if palette is None else bytes(sum(map(list, palette), [])))
    buffer = io.BytesIO()
    image.save(buffer, format='PNG')
    write_atomically(Path(path), buffer.getvalue(), durable=False)


def _refuse_turned(data: bytes, path: str) -> None:
    header = picture_header(data)
    if header is not None and header.orientation != 1:
        raise InvalidInputError(
            f'label file {path!r} has EXIF orientation {header.orientation}, which one tool obeys '
            'and another ignores, expected its ids in the place where they belong and no such tag'
        )


def _refused_kind(image: Image.Image) -> str | None:
    """Return the reason to refuse a kind of image, in words; None if it holds ids."""
    if image.format == 'JPEG':
        return 'a JPEG, whose compression alters ids'
    if image.mode not in ('L', 'P'):
        return f'of mode {image.mode!r} instead of one 8-bit channel'
    raw_modes = [tile[3] for tile in getattr(image, 'tile', [])]
    if any(mode in STRETCHED for mode in raw_modes):
        return f'grey of {raw_modes[0][-1]} bits'
    return None


def colour_map(num_colours: int) -> list[list[int]]:
    """Return PASCAL VOC's colours of the ids 0, 1, 2, …

    The bits of an id go to red, green and blue in turn; the lowest three bits
    become the highest bit of each.

    Args:
        num_colours: Number of ids, any.

    Returns:
        ``num_colours`` lists ``[red, green, blue]``, 0..255.
    """
    colours = []
    for index in range(num_colours):
        rgb = [0, 0, 0]
        for bit in range(8):
            if index >> bit & 1:
                rgb[bit % 3] |= 128 >> bit // 3
        colours.append(rgb)
    return colours


_PALETTE = np.array(colour_map(256), np.uint8).ravel().tolist()

GREY, PALETTE = 0, 3
#: larger images are left to PIL, which refuses images that would fill the memory
MOST_PIXELS = 1 << 26


def read_plain_png(data: bytes) -> np.ndarray | None:
    """Decode an 8-bit palette or grey PNG whose rows are stored without a filter.

    Label maps are usually written that way, since prediction from neighbours
    (PNG's filters) does not pay for indices of a palette.  Decoding is then
    only inflating.

    Args:
        data: Content of the file.

    Returns:
        uint8 ``(H, W)``, read-only.  None for any other file, also a damaged
        one: it is for a general decoder.
    """
    if len(data) < 33 or data[:8] != PNG or data[12:16] != b'IHDR':
        return None
    width, height, depth, colour, *rest = struct.unpack('>IIBBBBB', data[16:29])
    if depth != 8 or colour not in (GREY, PALETTE) or any(rest):  # rest: interlaced, for example
        return None
    if not 0 < width * height <= MOST_PIXELS:
        return None
    expected = height * (width + 1)  # each row begins with its filter
    stream = decompressobj()
    try:
        raw = stream.decompress(compressed(data), expected + 1)
    except error:  # type: ignore[misc]
        return None
    if len(raw) != expected or not stream.eof:
        return None
    rows = np.frombuffer(raw, np.uint8).reshape(height, width + 1)
    return None if rows[:, 0].any() else rows[:, 1:]


def compressed(data: bytes) -> bytes:
    """Return the image data of a PNG: its IDAT chunks, joined."""
    parts, start = [], 8
    while start + 12 <= len(data):
        length = int.from_bytes(data[start : start + 4], 'big')
        if data[start + 4 : start + 8] == b'IDAT':
            parts.append(data[start + 8 : start + 8 + length])
        start += length + 12
    return b''.join(parts)
