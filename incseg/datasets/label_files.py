"""Label maps as they lie on disk: 8-bit palette or grey PNGs of raw ids."""
import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from incseg.atomic_file import write_atomically
from incseg.datasets.colour_map import colour_map
from incseg.datasets.plain_png import read_plain_png
from incseg.errors import InvalidInputError, MissingFileError

_ALLOWED = 'allowed is an 8-bit palette or grey PNG whose pixel values are class ids'
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error,
           Image.DecompressionBombError)
# PIL stretches grey of fewer bits to 0..255 (4-bit id 1 becomes 17), which would pass for ids.
_STRETCHED = ('L;2', 'L;4')
_PALETTE = np.array(colour_map(256), np.uint8).ravel().tolist()


def read_label_file(path: str | os.PathLike) -> np.ndarray:
    """Read the raw ids of a label map, unchanged.

    PIL gives the indices of a palette image, which OpenCV would expand to
    colours.

    Args:
        path: a palette or grey image of 8 bits.

    Returns:
        uint8 ``(H, W)``, the ids as the file has them.

    Raises:
        MissingFileError: there is no such file.
        InvalidInputError: the file is cut short, is no image, or has colours,
            16 bits or a lossy coding instead of ids.
    """
    path = os.fspath(path)
    try:
        with open(path, 'rb') as file:
            ids = read_plain_png(file.read())
        if ids is not None:
            return np.ascontiguousarray(ids)
        with Image.open(path) as image:
            kind = _refused_kind(image)
            if kind is None:
                return np.array(image, dtype=np.uint8)
    except FileNotFoundError as error:
        raise MissingFileError(f'label file {path!r} does not exist') from error
    except _BROKEN as error:
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise InvalidInputError(
            f'label file {path!r} cannot be read ({reason}); {_ALLOWED}') from error
    raise InvalidInputError(f'label file {path!r} is {kind}; {_ALLOWED}')


def write_label_file(path: str | os.PathLike, ids: np.ndarray) -> None:
    """Write a label map as a palette PNG in VOC's colours, whole or not at all.

    Args:
        path: the file; its folder is made.
        ids: uint8 ``(H, W)``.

    Raises:
        SaveError: it cannot be written.
    """
    image = Image.fromarray(np.ascontiguousarray(ids))
    image.putpalette(_PALETTE)
    buffer = io.BytesIO()
    image.save(buffer, format='PNG')
    write_atomically(Path(path), buffer.getvalue())


def _refused_kind(image: Image.Image) -> str | None:
    """What is wrong with the kind of ``image``, or None if it holds ids."""
    if image.format == 'JPEG':
        return 'a JPEG, whose compression alters ids'
    if image.mode not in ('L', 'P'):
        return f'of mode {image.mode!r} instead of one 8-bit channel'
    raw_modes = [tile[3] for tile in getattr(image, 'tile', [])]
    if any(mode in _STRETCHED for mode in raw_modes):
        return f'grey of {raw_modes[0][-1]} bits'
    return None
