from collections.abc import Sequence

from mmcv.transforms import BaseTransform

from incseg.datasets.transforms import geometry
from incseg.errors import InvalidInputError
from incseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class Pad(BaseTransform):
    """Add rows below and columns to the right: mean colour, label 255.

    Args:
        size: ``(height, width)`` that the result has at least, in pixels, or
            an int for a square.  Larger images stay as they are.
        divisor: instead, pad to the next multiple of this many pixels.

    Raises:
        InvalidInputError: not exactly one is given, or it is not positive.
    """

    def __init__(self, size: int | Sequence[int] | None = None,
                 divisor: int | None = None) -> None:
        if (size is None) == (divisor is None):
            raise InvalidInputError(
                f'Pad is given size={size} and divisor={divisor}; allowed is exactly one')
        if divisor is not None and divisor < 1:
            raise InvalidInputError(f'divisor of Pad is {divisor}; allowed is 1 or more')
        self.size = None if size is None else geometry.pair(size, 'size of Pad')
        self.divisor = divisor

    def transform(self, results: dict) -> dict:
        height, width = results['img'].shape[:2]
        if self.size is not None:
            bottom, right = max(0, self.size[0] - height), max(0, self.size[1] - width)
        else:
            assert self.divisor is not None
            bottom, right = -height % self.divisor, -width % self.divisor
        geometry.pad(results, 0, bottom, 0, right)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(size={self.size}, divisor={self.divisor})'
