"""Masks as many tools write them: ids in more kinds of pictures, or colours of classes."""

import os
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from incseg.constants import VOID
from incseg.datasets.label_maps.label_file import BROKEN, STRETCHED, read_label_file
from incseg.errors import InvalidInputError
from incseg.utils.pictures.headers import ORIENTATION
from incseg.utils.rules import any_of

#: red, green, blue
Colour = tuple[int, int, int]
#: kinds of pictures, by PIL's name, that :func:`read_label_file` does not read
_COLOURS = ('RGB', 'RGBA')
_MORE_GREYS = ('1', 'LA', 'I;16', 'I;16B', 'I')
#: the id of a colour that no class has; fewer classes than that have a colour
_FOREIGN = 254
#: how many colours a message shows
_SHOWN = 5


def read_mask(path: str | os.PathLike) -> np.ndarray:
    """Read the ids of a mask: what :func:`read_label_file` reads, and more kinds of pictures.

    These are grey of 1, 2, 4 and 16 bits (black and white are 0 and 1), grey with an opacity, and
    colours whose three channels are equal.

    Args:
        path: The file.

    Returns:
        uint8 ``(H, W)``, the ids in the file.

    Raises:
        MissingFileError: There is no such file.
        InvalidInputError: It is no picture, a JPEG, has ids above 255, or has colours; the
            message names some of them.
    """
    pixels = mask_pixels(path)
    if pixels.ndim == 2:
        return pixels
    raise InvalidInputError(
        f'mask {os.fspath(path)!r} has colours: {colours_in_words(pixels)}, expected the ids of '
        'classes; say whose colours they are with colours=FILE (lines of name r g b), or with '
        'ids=dict(name=[r, g, b], …)'
    )


def mask_pixels(path: str | os.PathLike) -> np.ndarray:
    """Return the pixels of a mask: uint8 ids ``(H, W)``, or RGB ``(H, W, 3)`` where it has colours.

    The indices of a palette picture are its ids.

    Raises:
        MissingFileError, InvalidInputError: See :func:`read_mask`.
    """
    path = os.fspath(path)
    try:
        with Image.open(path) as image:
            tiles = [tile[3] for tile in getattr(image, 'tile', [])]
            bits = int(tiles[0][-1]) if tiles and tiles[0] in STRETCHED else 8
            known = image.mode in (*_COLOURS, *_MORE_GREYS) or bits < 8
            turned = image.getexif().get(ORIENTATION, 1) != 1
            ours = known and not turned and image.format != 'JPEG'
            pixels = np.array(image) if ours else None
    except BROKEN:
        pixels = None
    if pixels is None:  # the ordinary kind; or the reader says what is wrong
        return read_label_file(path)
    if bits < 8:  # PIL stretches them
        return pixels // np.uint8(255 // ((1 << bits) - 1))
    if pixels.ndim == 3:
        pixels = pixels[..., : 1 if pixels.shape[2] == 2 else 3]
        equal = (pixels == pixels[..., :1]).all()
        return np.ascontiguousarray(pixels[..., 0] if equal else pixels)
    if pixels.size and (pixels.min() < 0 or pixels.max() > VOID):
        raise InvalidInputError(
            f'mask {path!r} has ids from {pixels.min()} to {pixels.max()}, expected 0 to 255; '
            'files of instances or of depth are no masks of classes'
        )
    return pixels.astype(np.uint8)


def read_rgb(path: str | os.PathLike) -> np.ndarray:
    """Read the colours of a mask, those of its palette if it has one: uint8 ``(H, W, 3)``.

    Raises:
        MissingFileError, InvalidInputError: See :func:`read_mask`.
    """
    pixels = mask_pixels(path)
    if pixels.ndim == 3:
        return pixels
    with Image.open(path) as image:
        palette = np.array(image.getpalette('RGB') or [], np.uint8) if image.mode == 'P' else None
        black_and_white = image.mode == '1'
    if palette is None:
        return np.repeat((pixels * 255 if black_and_white else pixels)[..., None], 3, 2)
    table = np.zeros((256, 3), np.uint8)
    table[: len(palette) // 3] = palette.reshape(-1, 3)
    return table[pixels]


class ColourMasks:
    """Reads masks whose colours stand for classes, as ids.

    Instances can be pickled.

    Args:
        ids: The id of each colour, not 254.
        names: The class of each colour, for errors.
    """

    def __init__(self, ids: Mapping[Colour, int], names: Sequence[str] = ()) -> None:
        self.ids, self.names = dict(ids), list(names)
        self._table: np.ndarray | None = None
        #: tells readers of other colours from this one, see :class:`LabelReader`
        self.cache_key = f'colours {sorted(self.ids.items())}'

    def __call__(self, path: str | os.PathLike) -> np.ndarray:
        """Return the ids of a mask, uint8 ``(H, W)``.

        Raises:
            MissingFileError: There is no such file.
            InvalidInputError: It is no picture, or has a colour that no class has.
        """
        pixels = read_rgb(path)
        if self._table is None:
            self._table = np.full(1 << 24, _FOREIGN, np.uint8)
            for colour, i in self.ids.items():
                self._table[packed(np.array(colour, np.uint8))] = i
        ids: np.ndarray = self._table[packed(pixels)]
        if (foreign := ids == _FOREIGN).any():
            raise InvalidInputError(
                f'mask {os.fspath(path)!r} has colours of no class: '
                f'{colours_in_words(pixels[foreign])}, expected {any_of(self.ids)} '
                f'({", ".join(self.names)}); name the class of each colour, or void, in ids or in '
                'the colour table'
            )
        return ids

    def __getstate__(self) -> dict:
        return dict(self.__dict__, _table=None)


def packed(pixels: np.ndarray) -> np.ndarray:
    """Return RGB ``(…, 3)`` as one number a pixel, int32 ``(…)``."""
    wide = pixels.astype(np.int32)
    numbers: np.ndarray = (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]
    return numbers


def unpacked(number: int) -> Colour:
    """Return the colour of a number of :func:`packed`."""
    return number >> 16, number >> 8 & 255, number & 255


def colours_in_words(pixels: np.ndarray) -> str:
    """Return the most frequent of some colours with their shares, in words.

    Args:
        pixels: uint8 ``(…, 3)``.
    """
    numbers, counts = np.unique(packed(pixels), return_counts=True)
    order = np.argsort(-counts, kind='stable')
    words = ', '.join(
        f'{unpacked(int(numbers[i]))} {100 * counts[i] / counts.sum():.0f} %'
        for i in order[:_SHOWN]
    )
    more = len(order) - _SHOWN
    return f'{words} and {more} more' if more > 0 else words
