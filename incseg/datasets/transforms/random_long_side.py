import numpy as np
from mmcv.transforms import BaseTransform

from incseg.datasets.transforms import geometry
from incseg.errors import InvalidInputError
from incseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomLongSide(BaseTransform):
    """Scale the longer side to a random length; the aspect ratio stays.

    Args:
        low: shortest length in pixels, at least 1.
        high: longest, itself included.

    Raises:
        InvalidInputError: they are not whole numbers in that order.
    """

    def __init__(self, low: int, high: int) -> None:
        if not (isinstance(low, int) and isinstance(high, int) and 1 <= low <= high):
            raise InvalidInputError(
                f'range of RandomLongSide is ({low!r}, {high!r}); '
                'allowed are whole numbers, 1 <= low <= high')
        self.low, self.high = low, high

    def transform(self, results: dict) -> dict:
        height, width = results['img'].shape[:2]
        factor = np.random.randint(self.low, self.high + 1) / max(height, width)
        geometry.resize(results, *(max(1, round(side * factor)) for side in (height, width)))
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(low={self.low}, high={self.high})'
