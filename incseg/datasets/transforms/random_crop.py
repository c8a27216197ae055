from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from incseg.datasets.transforms import geometry
from incseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomCrop(BaseTransform):
    """Cut a window of fixed size at a random place.

    An image that is smaller is padded, at a random place too, with the
    ImageNet mean colour and label 255.

    Args:
        size: ``(height, width)`` in pixels, or an int for a square.

    Raises:
        InvalidInputError: the size is not positive.
    """

    def __init__(self, size: int | Sequence[int]) -> None:
        self.size = geometry.pair(size, 'size of RandomCrop')

    def transform(self, results: dict) -> dict:
        shape = results['img'].shape[:2]
        missing = [max(0, want - have) for want, have in zip(self.size, shape, strict=True)]
        before = [np.random.randint(n + 1) for n in missing]
        top, left = (np.random.randint(max(0, have - want) + 1)
                     for want, have in zip(self.size, shape, strict=True))
        height, width = (min(sides) for sides in zip(self.size, shape, strict=True))
        geometry.crop(results, top, left, height, width)
        geometry.pad(results, before[0], missing[0] - before[0], before[1],
                     missing[1] - before[1])
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(size={self.size})'
