import numpy as np
from mmcv.transforms import BaseTransform

from incseg.datasets.transforms import geometry
from incseg.errors import InvalidInputError
from incseg.registry import TRANSFORMS

_CODES = {'horizontal': 1, 'vertical': 0}


@TRANSFORMS.register_module()
class RandomFlip(BaseTransform):
    """Mirror image and labels with some probability.

    Args:
        direction: ``'horizontal'`` (left to right) or ``'vertical'``.
        prob: share of the images that are mirrored.

    Raises:
        InvalidInputError: an argument is out of range.
    """

    def __init__(self, direction: str = 'horizontal', prob: float = .5) -> None:
        if direction not in _CODES:
            raise InvalidInputError(
                f'direction of RandomFlip is {direction!r}; allowed are {", ".join(_CODES)}')
        self.direction = direction
        self.prob = geometry.interval((0, prob), 'prob of RandomFlip', 0, 1)[1]

    def transform(self, results: dict) -> dict:
        if np.random.uniform() < self.prob:
            geometry.flip(results, _CODES[self.direction])
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(direction={self.direction!r}, prob={self.prob})'
