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

    With ``scale`` both sides of the image are scaled first, by one random
    factor.  That is :class:`RandomScale` before it, drawn alike, but only
    the pixels that the window keeps are made.  They lie at most half a pixel
    of the image beside where scaling all of it would have put them.

    Args:
        size: ``(height, width)`` in pixels, or an int for a square.
        scale: lowest and highest factor, above 0; ``None`` scales nothing.

    Raises:
        InvalidInputError: the size is not positive, or ``scale`` is no such
            range.
    """

    def __init__(self, size: int | Sequence[int], scale: Sequence[float] | None = None) -> None:
        self.size = geometry.pair(size, 'size of RandomCrop')
        self.scale = None if scale is None else geometry.interval(
            scale, 'scale of RandomCrop', 1e-6)

    def transform(self, results: dict) -> dict:
        image = results['img'].shape[:2]
        factor = 1. if self.scale is None else np.random.uniform(*self.scale)
        shape = [max(1, round(side * factor)) for side in image]
        missing = [max(0, want - have) for want, have in zip(self.size, shape, strict=True)]
        before = [np.random.randint(n + 1) for n in missing]
        top, left = (np.random.randint(max(0, have - want) + 1)
                     for want, have in zip(self.size, shape, strict=True))
        height, width = (min(sides) for sides in zip(self.size, shape, strict=True))
        rows, columns = (
            _source(*window) for window in zip((top, left), (height, width), shape, image,
                                               strict=True))
        geometry.crop(results, rows[0], columns[0], rows[1], columns[1])
        geometry.resize(results, height, width)
        geometry.pad(results, before[0], missing[0] - before[0], before[1],
                     missing[1] - before[1])
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(size={self.size}, scale={self.scale})'


def _source(start: int, length: int, scaled: int, side: int) -> tuple[int, int]:
    """Start and length in an image of ``side`` pixels of a window in the ``scaled`` one."""
    first = min(round(start * side / scaled), side - 1)
    return first, max(1, round((start + length) * side / scaled) - first)
