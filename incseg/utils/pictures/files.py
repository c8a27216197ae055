"""Pictures: class colours over an image; reading from and writing to files, through memory.

Python reads and writes the files, OpenCV sees bytes only: its own file functions end the
process with a segmentation fault at a name that is not UTF-8.
"""

import os
import warnings
from pathlib import Path

import cv2
import numpy as np

from incseg.errors import InvalidInputError, MissingFileError
from incseg.utils.files import write_atomically
from incseg.utils.pictures.headers import (
    JPEG,
    PNG,
    TIFF,
    PictureHeader,
    is_cut_jpeg,
    picture_header,
    png_fault,
    pnm_white,
    without_orientation,
)
from incseg.utils.pictures.rule import PLAIN, PictureRule, turned
from incseg.utils.rules import expected

try:  # decodes like OpenCV, bit by bit and as fast, and says what is wrong with a damaged file
    import simplejpeg
except ImportError:  # there is no build for this machine: OpenCV fills a hole with grey
    simplejpeg = None
if 'OPENCV_LOG_LEVEL' not in os.environ:  # the error that we raise is the one line about a file
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

_EXPECTED = 'expected a complete JPEG, PNG or other image that OpenCV reads'
#: parts of libjpeg's messages about files that are whole, but of unusual makers or unusual kind
_HARMLESS = ('JFIF', 'Adobe', 'SOS parameters', 'subsampling', 'colorspace')
MOST_PIXELS = 1 << 30  # OpenCV's limit
#: rows that are painted at once
ROWS = 128
_transparent: list[str] = []  # the first picture with transparent pixels, once it was told


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
    painted = np.empty_like(image)
    for start in range(0, len(labels), ROWS):  # floats of a large picture would fill the memory
        rows = slice(start, start + ROWS)
        weight = strength[labels[rows]][..., None]
        mixed = image[rows] * (1 - weight) + colours[labels[rows]] * weight
        painted[rows] = (mixed + 0.5).astype(np.uint8)
    return painted


def read_picture(path: str | os.PathLike, rule: PictureRule = PLAIN) -> np.ndarray:
    """Read a picture; a damaged one is refused, not filled with grey.

    Args:
        path: The file; its name need not be UTF-8.
        rule: How its orientation and values of more than 8 bits are read.

    Returns:
        BGR uint8 ``(H, W, 3)``.

    Raises:
        MissingFileError: There is no such file.
        InvalidInputError: The file is not an image, is damaged, or cannot be read by the rule.
    """
    return load_picture(path, rule)[0]


def load_picture(
    path: str | os.PathLike, rule: PictureRule = PLAIN
) -> tuple[np.ndarray, PictureHeader | None]:
    """Read a picture as :func:`read_picture` does, and its header.

    Returns:
        BGR uint8 ``(H, W, 3)``, and the header, None if unknown.

    Raises:
        MissingFileError, InvalidInputError: See :func:`read_picture`.
    """
    path = os.fspath(path)
    try:
        with open(path, 'rb') as file:
            data = file.read()
    except FileNotFoundError as error:
        raise MissingFileError(f'image {path!r} does not exist') from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InvalidInputError(f'image {path!r} cannot be read ({error}), {_EXPECTED}') from error
    header = picture_header(data)
    return _decoded(data, path, rule, header), header


def decode_picture(data: bytes, name: str, rule: PictureRule = PLAIN) -> np.ndarray:
    """Decode the content of a picture's file.

    What OpenCV only warns about is refused: a JPEG that is cut short, or whose
    code breaks off or goes on where it should not; so is a PNG with a wrong
    checksum.  A change of bits that leaves a valid file cannot be seen here.

    Args:
        data: The file's content.
        name: Its name, for errors.
        rule: How its orientation and values of more than 8 bits are read.

    Returns:
        BGR uint8 ``(H, W, 3)``.

    Raises:
        InvalidInputError: It is not an image, is damaged, has several frames, or cannot be
            read by the rule.

    Warns:
        UserWarning: It is the first picture that has transparent pixels; they are read as opaque.
    """
    return _decoded(data, name, rule, picture_header(data))


def _decoded(data: bytes, name: str, rule: PictureRule, header: PictureHeader | None) -> np.ndarray:
    if not data:
        raise InvalidInputError(f'image {name!r} is an empty file, {_EXPECTED}')
    if is_cut_jpeg(data):
        raise InvalidInputError(f'image {name!r} is cut short, {_EXPECTED}')
    if data.startswith(PNG) and (fault := png_fault(data)):
        raise InvalidInputError(f'image {name!r} is damaged ({fault}), {_EXPECTED}')
    if header is not None and header.frames > 1:
        raise InvalidInputError(
            f'image {name!r} has {header.frames} frames, expected one; save the frame that '
            'belongs to the mask as a picture of its own'
        )
    if header is not None and header.lab:
        raise InvalidInputError(
            f'image {name!r} has the colours of CIE Lab, expected RGB or grey; save it as RGB'
        )
    picture = _strict_jpeg(data, name) if data.startswith(JPEG) else None
    if picture is None:
        picture = _by_opencv(data, name, header is not None and header.alpha)
    picture = rule.in_8_bits(picture, name)
    if header is None or header.orientation == 1 or rule.exif == 'ignore':
        return picture
    return turned(picture, header.orientation)


def _strict_jpeg(data: bytes, name: str) -> np.ndarray | None:
    """Decode a JPEG and refuse it where libjpeg warns of damage; None leaves it to OpenCV.

    That are files which OpenCV reads in another way (CMYK), or reads although they are odd.
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
    return picture


def _by_opencv(data: bytes, name: str, alpha: bool) -> np.ndarray:
    """Decode a picture as it is stored: not turned, its colours not mixed with its alpha.

    Returns:
        BGR ``(H, W, 3)`` of the file's dtype.
    """
    depth_kept = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    tiff = data.startswith(TIFF)
    stored = without_orientation(data) if tiff else data  # OpenCV turns a TIFF in any case
    picture = None if alpha else _imdecode(stored, depth_kept)
    if picture is None and (alpha or tiff):  # a TIFF of 32 bits and one channel
        picture = _imdecode(stored, cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise InvalidInputError(f'image {name!r} cannot be decoded, {_EXPECTED}')
    picture = np.atleast_3d(picture)
    channels = picture.shape[2]
    if channels in (2, 4):
        _notice_transparency(picture[..., -1], name)
        picture = picture[..., : channels - 1]
    if picture.shape[2] == 1:
        picture = np.repeat(picture, 3, 2)
    if (white := pnm_white(data)) and white < 255:  # OpenCV leaves these values as they are
        picture = PictureRule(value_range=(0, white)).in_8_bits(picture.astype(np.uint16), name)
    return np.ascontiguousarray(picture)


def _imdecode(data: bytes, flags: int) -> np.ndarray | None:
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:  # more pixels than OpenCV allows, for example
        return None


def _notice_transparency(alpha: np.ndarray, name: str) -> None:
    """Warn of the first picture that has transparent pixels.

    Args:
        alpha: ``(H, W)``, of which the dtype's greatest value (1 of floats) is opaque.
        name: The file.
    """
    opaque = np.iinfo(alpha.dtype).max if alpha.dtype.kind in 'ui' else 1
    if alpha.min() < opaque and not _transparent:
        _transparent.append(name)
        warnings.warn(
            f'image {name!r} has transparent pixels; this and every picture is read without its '
            'transparency',
            stacklevel=2,
        )


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
