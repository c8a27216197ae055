"""Pictures: class colours over an image; reading from and writing to files, through memory.

Python reads and writes the files, OpenCV sees bytes only: its own file functions end the
process with a segmentation fault at a name that is not UTF-8.
"""

import io
import os
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from incseg.errors import InvalidInputError, MissingFileError
from incseg.utils.files import write_atomically
from incseg.utils.rules import expected

try:  # decodes like OpenCV, bit by bit and as fast, and says what is wrong with a damaged file
    import simplejpeg
except ImportError:  # there is no build for this machine: OpenCV fills a hole with grey
    simplejpeg = None
try:  # three times faster than zlib's
    from isal.isal_zlib import crc32
except ImportError:
    from zlib import crc32  # type: ignore[assignment]

if 'OPENCV_LOG_LEVEL' not in os.environ:  # the error that we raise is the one line about a file
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

_EXPECTED = 'expected a complete JPEG, PNG or other image that OpenCV reads'
PNG = b'\x89PNG\r\n\x1a\n'
JPEG = b'\xff\xd8'
ORIENTATION = 0x0112  # the tag in EXIF
#: parts of libjpeg's messages about files that are whole, but of unusual makers or unusual kind
_HARMLESS = ('JFIF', 'Adobe', 'SOS parameters', 'subsampling', 'colorspace')
MOST_PIXELS = 1 << 30  # OpenCV's limit


def paint(
    image: np.ndarray, labels: np.ndarray, palette: list[list[int]], opacity: float = 0.5
) -> np.ndarray:
    """Blend the classes' colours into an image.

    Args:
        image: BGR uint8 ``(H, W, 3)``; resized if the labels have another size.
        labels: Train ids, uint8 ``(h, w)``; pixels of ids without a colour (void) stay as
            they are.
        palette: ``[r, g, b]`` per train id.
        opacity: Weight of the colours, 0 to 1.

    Returns:
        BGR uint8 ``(h, w, 3)``.
    """
    if image.shape[:2] != labels.shape:
        image = cv2.resize(image, labels.shape[::-1], interpolation=cv2.INTER_LINEAR)
    colours = np.zeros((256, 3), np.float32)
    colours[: len(palette)] = np.asarray(palette, np.float32)[:, ::-1]
    strength = np.zeros(256, np.float32)
    strength[: len(palette)] = opacity
    weight = strength[labels][..., None]
    return (image * (1 - weight) + colours[labels] * weight + 0.5).astype(np.uint8)


def read_picture(path: str | os.PathLike) -> np.ndarray:
    """Read a picture; a damaged one is refused, not filled with grey.

    Args:
        path: The file; its name need not be UTF-8.

    Returns:
        BGR uint8 ``(H, W, 3)``, turned as its EXIF orientation says.

    Raises:
        MissingFileError: There is no such file.
        InvalidInputError: The file is not an image, or is damaged.
    """
    path = os.fspath(path)
    try:
        with open(path, 'rb') as file:
            data = file.read()
    except FileNotFoundError as error:
        raise MissingFileError(f'image {path!r} does not exist') from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InvalidInputError(f'image {path!r} cannot be read ({error}), {_EXPECTED}') from error
    return decode_picture(data, path)


def decode_picture(data: bytes, name: str) -> np.ndarray:
    """Decode the content of a picture's file.

    What OpenCV only warns about is refused: a JPEG that is cut short, or whose
    code breaks off or goes on where it should not; so is a PNG with a wrong
    checksum.  A change of bits that leaves a valid file cannot be seen here.

    Args:
        data: The file's content.
        name: Its name, for errors.

    Returns:
        BGR uint8 ``(H, W, 3)``.

    Raises:
        InvalidInputError: It is not an image, or is damaged.
    """
    if not data:
        raise InvalidInputError(f'image {name!r} is an empty file, {_EXPECTED}')
    picture = None
    if is_cut_jpeg(data):
        raise InvalidInputError(f'image {name!r} is cut short, {_EXPECTED}')
    if data.startswith(JPEG):
        picture = _strict_jpeg(data, name)
    elif data.startswith(PNG) and (fault := png_fault(data)):
        raise InvalidInputError(f'image {name!r} is damaged ({fault}), {_EXPECTED}')
    if picture is None:
        try:
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        except cv2.error:  # more pixels than OpenCV allows, for example
            picture = None
    if picture is None:
        raise InvalidInputError(f'image {name!r} cannot be decoded, {_EXPECTED}')
    return picture


def _strict_jpeg(data: bytes, name: str) -> np.ndarray | None:
    """Decode a JPEG and refuse it where libjpeg warns of damage; None leaves it to OpenCV.

    That are files which OpenCV turns, or reads in another way (CMYK).
    """
    if simplejpeg is None:
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if height * width > MOST_PIXELS:
            return None
        if colours in ('CMYK', 'YCCK'):
            simplejpeg.decode_jpeg(data, 'CMYK')
            return None
        picture: np.ndarray = simplejpeg.decode_jpeg(data, 'BGR')
    except ValueError as error:
        message = ' '.join(str(error).split())
        if any(word in message for word in _HARMLESS):
            return None
        raise InvalidInputError(f'image {name!r} is damaged ({message}), {_EXPECTED}') from error
    return None if _is_turned(data) else picture


def _is_turned(data: bytes) -> bool:
    """Return whether a JPEG has an EXIF orientation, which OpenCV obeys."""
    if data.find(b'Exif\0\0', 0, 1 << 16) < 0:
        return False
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.getexif().get(ORIENTATION, 1) != 1
    except Exception:  # PIL raises errors of many kinds at damaged EXIF data
        return True


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
    start = len(PNG)
    view = memoryview(data)
    while start + 12 <= len(data):
        end = start + 8 + int.from_bytes(data[start : start + 4], 'big')
        kind = data[start + 4 : start + 8]
        if end + 4 > len(data):
            break
        if crc32(view[start + 4 : end]) != int.from_bytes(data[end : end + 4], 'big'):
            return f'the checksum of chunk {kind!r} is wrong'
        if kind == b'IEND':
            return None
        start = end + 4
    return 'it is cut short'


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Write a picture in the format of its file name's ending; folders are created.

    Args:
        path: The file; it is written whole or not at all.
        picture: uint8 ``(H, W, 3)``, BGR.

    Raises:
        InvalidInputError: No format has that ending, or it cannot hold the picture.
        SaveError: The file cannot be written.
    """
    check_picture_name(path)
    try:
        encoded, content = cv2.imencode(path.suffix, picture)
    except cv2.error:  # larger than the format allows, for example
        encoded = False
    if not encoded:
        raise expected(
            f"shape of the picture for '{path}'", picture.shape, f'one that {path.suffix} can hold'
        )
    write_atomically(path, content.tobytes(), durable=False)


def check_picture_name(path: Path) -> None:
    """Refuse a file name without the ending of a picture that can be written.

    Raises:
        InvalidInputError: No format has that ending.
    """
    if not (path.suffix.isascii() and path.suffix and cv2.haveImageWriter(f'x{path.suffix}')):
        raise InvalidInputError(
            f"'{path}' has no ending of a picture that can be written, as .png or .jpg"
        )
