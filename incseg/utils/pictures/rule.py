"""How the pixels that a file stores become the picture that a network sees."""

from dataclasses import dataclass

import numpy as np

from incseg.errors import InvalidInputError
from incseg.utils.rules import checked, expected, is_number, one_of


@dataclass(frozen=True)
class PictureRule:
    """The rule by which all pictures of a data set are read.

    Attributes:
        exif: ``'apply'``: a picture is turned as its EXIF orientation says, as viewers and
            annotation tools show it.  ``'ignore'``: it stays as it is stored, for masks that
            were drawn on stored pixels.
        value_range: The values of black and white in pictures of more than 8 bits; values
            between are scaled to 0..255, values beyond are cut off.  None: such pictures are
            refused.  Pictures of 8 bits are never scaled.

    Raises:
        InvalidInputError: A value is not allowed.
    """

    exif: str = 'apply'
    value_range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        checked('exif', self.exif, one_of('apply', 'ignore'))
        given = self.value_range
        if given is None:
            return
        numbers = isinstance(given, list | tuple) and len(given) == 2 and all(map(is_number, given))
        if not numbers or given[0] >= given[1]:
            raise expected('value_range', given, 'None, or the two values of black and white')
        object.__setattr__(self, 'value_range', tuple(given))  # a config has a list

    def in_8_bits(self, picture: np.ndarray, name: str) -> np.ndarray:
        """Scale a picture's values to 8 bits.

        Args:
            picture: ``(H, W, 3)`` of any dtype.
            name: The file, for errors.

        Returns:
            uint8 ``(H, W, 3)``; the picture itself if it has that dtype.

        Raises:
            InvalidInputError: It has another dtype, and the rule no ``value_range``; or it has
                values that are no finite numbers.
        """
        if picture.dtype == np.uint8:
            return picture
        if not np.isfinite(picture).all():
            raise InvalidInputError(f'image {name!r} has pixels that are no finite numbers')
        if self.value_range is None:
            low, high = picture.min().item(), picture.max().item()
            raise InvalidInputError(
                f'image {name!r} has values of type {picture.dtype}, from {low} to {high}, '
                "expected 8 bits; set the data set's argument value_range to the values of black "
                f'and white, as [{min(low, 0)}, {_white(high)}], or save it with 8 bits'
            )
        low, high = self.value_range
        scaled = (picture.astype(np.float64) - low) * (255 / (high - low))
        return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


PLAIN = PictureRule()


def turned(picture: np.ndarray, orientation: int) -> np.ndarray:
    """Turn and mirror a picture as an EXIF orientation says.

    Args:
        picture: ``(H, W, 3)`` as stored.
        orientation: 1 (as it is) to 8.

    Returns:
        ``(H, W, 3)``, or ``(W, H, 3)`` for 5 to 8; contiguous.
    """
    if orientation >= 5:
        picture = picture.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        picture = picture[::-1]
    if orientation in (2, 3, 6, 7):
        picture = picture[:, ::-1]
    return np.ascontiguousarray(picture)


def _white(highest: float) -> float:
    """Return the usual value of white in pictures whose greatest value is given."""
    if isinstance(highest, int):
        return (1 << max(highest.bit_length(), 8)) - 1
    return max(highest, 1)
