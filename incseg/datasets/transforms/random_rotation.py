from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from incseg.datasets.transforms import geometry
from incseg.errors import InvalidInputError
from incseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomRotation(BaseTransform):
    """Turn about the centre by a random angle; the size stays.

    Corners that come from outside get the ImageNet mean colour and label 255.

    Args:
        degrees: the angle is uniform in ``[-degrees, degrees]``, or in the
            given ``(low, high)``; counter-clockwise.
        prob: share of the images that are turned.

    Raises:
        InvalidInputError: an argument is out of range.
    """

    def __init__(self, degrees: float | Sequence[float], prob: float = 1.) -> None:
        if isinstance(degrees, int | float):
            if degrees < 0:
                raise InvalidInputError(
                    f'degrees of RandomRotation is {degrees}; allowed is 0 or more, or (low, high)')
            degrees = (-degrees, degrees)
        self.degrees = geometry.interval(degrees, 'degrees of RandomRotation', -360, 360)
        self.prob = geometry.interval((0, prob), 'prob of RandomRotation', 0, 1)[1]

    def transform(self, results: dict) -> dict:
        if np.random.uniform() < self.prob:
            geometry.rotate(results, np.random.uniform(*self.degrees))
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(degrees={self.degrees}, prob={self.prob})'
