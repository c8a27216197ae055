import math
from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from incseg.datasets.transforms import geometry
from incseg.registry import TRANSFORMS
from incseg.utils.rules import expected


@TRANSFORMS.register_module()
class RandomCrop(BaseTransform):
    """Cut a window of fixed size at a random position.

    A smaller image is padded to that size, with a random share of the padding on
    each side, in the ImageNet mean colour and with label 255.

    With ``scale`` both sides of the image are scaled first, by one random
    factor.  This has the effect of a :class:`RandomScale` before the crop, with
    the same random numbers, but only the pixels in the window are computed.
    They deviate by at most half a pixel of the image from their position after
    scaling the whole image.

    Args:
        size: ``(height, width)`` in pixels, or an int for a square.
        scale: Lowest and highest factor, above 0; None does not scale.

    Raises:
        InvalidInputError: The size is not positive, or ``scale`` is not such a
            range.
    """

    def __init__(self, size: int | Sequence[int], scale: Sequence[float] | None = None) -> None:
        self.size = geometry.pair(size, 'size of RandomCrop')
        self.scale = (
            None if scale is None else geometry.interval(scale, 'scale of RandomCrop', 1e-6)
        )

    def transform(self, results: dict) -> dict:
        image = results['img'].shape[:2]
        factor = 1.0 if self.scale is None else np.random.uniform(*self.scale)
        shape = [max(1, round(side * factor)) for side in image]
        missing = [max(0, want - have) for want, have in zip(self.size, shape, strict=True)]
        before = [np.random.randint(n + 1) for n in missing]
        top, left = (
            np.random.randint(max(0, have - want) + 1)
            for want, have in zip(self.size, shape, strict=True)
        )
        height, width = (min(sides) for sides in zip(self.size, shape, strict=True))
        rows, columns = (
            _source(*window)
            for window in zip((top, left), (height, width), shape, image, strict=True)
        )
        geometry.crop(results, rows[0], columns[0], rows[1], columns[1])
        geometry.resize(results, height, width)
        geometry.pad(results, before[0], missing[0] - before[0], before[1], missing[1] - before[1])
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(size={self.size}, scale={self.scale})'


def _source(start: int, length: int, scaled: int, side: int) -> tuple[int, int]:
    """Return where a window of the scaled image lies in the original image, along one axis.

    Args:
        start, length: First pixel and number of pixels of the window in the scaled image.
        scaled, side: Number of pixels of the whole scaled and of the whole original image.

    Returns:
        First pixel and number of pixels, at least 1, in the original image.
    """
    first = min(round(start * side / scaled), side - 1)
    return first, max(1, round((start + length) * side / scaled) - first)


@TRANSFORMS.register_module()
class CenterCrop(BaseTransform):
    """Cut the central window; smaller images are padded on all sides first.

    After ``Resize(short_side=512)``, this is the evaluation of MiB.  An odd number of rows or
    columns is cut as torchvision cuts it.

    Args:
        size: ``(height, width)`` in pixels, or an int for a square.

    Raises:
        InvalidInputError: The size is not positive.
    """

    def __init__(self, size: int | Sequence[int]) -> None:
        self.size = geometry.pair(size, 'size of CenterCrop')

    def transform(self, results: dict) -> dict:
        shape = results['img'].shape[:2]
        rows, columns = (max(0, want - have) for want, have in zip(self.size, shape, strict=True))
        geometry.pad(results, rows // 2, rows - rows // 2, columns // 2, columns - columns // 2)
        top, left = (  # rounded as torchvision's
            round(max(0, have - want) / 2) for want, have in zip(self.size, shape, strict=True)
        )
        geometry.crop(results, top, left, *self.size)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(size={self.size})'


@TRANSFORMS.register_module()
class RandomResizedCrop(BaseTransform):
    """Cut a random window and scale it to a fixed size, as torchvision does.

    The window's area is a uniform share of the image's area, its aspect ratio
    is log-uniform.  If none of ten drawn windows fits into the image, the
    largest central window of an allowed ratio is taken.  With shares above 1,
    as in MiB's recipe, that is often the whole image.

    Args:
        size: ``(height, width)`` of the result in pixels, or an int for a square.
        scale: Lowest and highest share of the image's area, above 0.
        ratio: Lowest and highest width / height, above 0.

    Raises:
        InvalidInputError: An argument is out of range.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        scale: Sequence[float] = (0.5, 2.0),
        ratio: Sequence[float] = (3 / 4, 4 / 3),
    ) -> None:
        self.size = geometry.pair(size, 'size of RandomResizedCrop')
        self.scale = geometry.interval(scale, 'scale of RandomResizedCrop', 1e-6)
        self.ratio = geometry.interval(ratio, 'ratio of RandomResizedCrop', 1e-6)

    def transform(self, results: dict) -> dict:
        geometry.crop(results, *self.window(*results['img'].shape[:2]))
        geometry.resize(results, *self.size)
        return results

    def window(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Draw a random window of an image.

        Args:
            height, width: Size of the image in pixels.

        Returns:
            ``(top, left, height, width)`` of the window in pixels.
        """
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


@TRANSFORMS.register_module()
class Pad(BaseTransform):
    """Add rows at the bottom and columns at the right, in the ImageNet mean colour, label 255.

    Args:
        size: Least ``(height, width)`` of the result in pixels, or an int for
            a square.  Larger images do not change.
        divisor: Both sides grow to the next multiple of this many pixels.  Set
            either ``size`` or ``divisor``.

    Raises:
        InvalidInputError: Both or neither of them is set, or it is not positive.
    """

    def __init__(self, size: int | Sequence[int] | None = None, divisor: int | None = None) -> None:
        if (size is None) == (divisor is None):
            raise expected('(size, divisor) of Pad', (size, divisor), 'one value and one None')
        if divisor is not None and divisor < 1:
            raise expected('divisor of Pad', divisor, 'a number of at least 1')
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
