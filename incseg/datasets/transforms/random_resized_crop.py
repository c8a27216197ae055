import math
from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from incseg.datasets.transforms import geometry
from incseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomResizedCrop(BaseTransform):
    """Cut a random window and scale it to a fixed size, as torchvision does.

    The window's area is a random share of the image's, its aspect ratio is
    log-uniform.  If ten draws give no window that fits into the image, the
    largest central window of an allowed ratio is taken; with shares above 1,
    as in MiB's recipe, that is often the whole image.

    Args:
        size: ``(height, width)`` of the result in pixels, or an int for a square.
        scale: lowest and highest share of the image's area.
        ratio: lowest and highest width / height.

    Raises:
        InvalidInputError: an argument is out of range.
    """

    def __init__(self, size: int | Sequence[int], scale: Sequence[float] = (.5, 2.),
                 ratio: Sequence[float] = (3 / 4, 4 / 3)) -> None:
        self.size = geometry.pair(size, 'size of RandomResizedCrop')
        self.scale = geometry.interval(scale, 'scale of RandomResizedCrop', 1e-6)
        self.ratio = geometry.interval(ratio, 'ratio of RandomResizedCrop', 1e-6)

    def transform(self, results: dict) -> dict:
        geometry.crop(results, *self.window(*results['img'].shape[:2]))
        geometry.resize(results, *self.size)
        return results

    def window(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Draw ``(top, left, height, width)`` for an image of that size."""
        low, high = np.log(self.ratio)
        for _ in range(10):
            area = height * width * np.random.uniform(*self.scale)
            ratio = math.exp(np.random.uniform(low, high))
            w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < w <= width and 0 < h <= height:
                return np.random.randint(height - h + 1), np.random.randint(width - w + 1), h, w
        w = max(1, min(width, round(height * self.ratio[1])))
        h = max(1, min(height, round(width / self.ratio[0])))
        return (height - h) // 2, (width - w) // 2, h, w

    def __repr__(self) -> str:
        return f'{type(self).__name__}(size={self.size}, scale={self.scale}, ratio={self.ratio})'
