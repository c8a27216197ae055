from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from incseg.datasets.transforms import geometry
from incseg.registry import TRANSFORMS
from incseg.utils.rules import any_of, expected


@TRANSFORMS.register_module()
class Resize(BaseTransform):
    """Scale an image to a fixed size, by a fixed factor, or to a fixed short side.

    The image is scaled bilinearly, its label maps with the nearest neighbour.  Set
    exactly one of the first three arguments.

    Args:
        scale_factor: Factor of both sides; the result has at least one pixel.
        size: ``(height, width)`` in pixels, or an int for a square.
        short_side: The shorter side in pixels; the longer one keeps the aspect ratio, rounded
            down, as torchvision's ``Resize`` does.
        resize_labels: Whether label maps are scaled too; False leaves them at their own
            resolution.

    Raises:
        InvalidInputError: None or several of the first three are set, or one is
            not positive.
    """

    def __init__(
        self,
        scale_factor: float | None = None,
        size: int | Sequence[int] | None = None,
        short_side: int | None = None,
        resize_labels: bool = True,
    ) -> None:
        sizes = {'scale_factor': scale_factor, 'size': size, 'short_side': short_side}
        if sum(value is not None for value in sizes.values()) != 1:
            raise expected('arguments of Resize', sizes, 'exactly one of them')
        if scale_factor is not None and scale_factor <= 0:
            raise expected('scale_factor of Resize', scale_factor, 'a number above 0')
        if short_side is not None and short_side < 1:
            raise expected('short_side of Resize', short_side, 'a number of at least 1')
        self.scale_factor = scale_factor
        self.size = None if size is None else geometry.pair(size, 'size of Resize')
        self.short_side = short_side
        self.resize_labels = resize_labels

    def transform(self, results: dict) -> dict:
        height, width = results['img'].shape[:2]
        if self.size is not None:
            height, width = self.size
        elif self.short_side is not None:
            short = min(height, width)
            height, width = (self.short_side * side // short for side in (height, width))
        else:
            assert self.scale_factor is not None
            height, width = (max(1, round(side * self.scale_factor)) for side in (height, width))
        geometry.resize(results, height, width, labels=self.resize_labels)
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(scale_factor={self.scale_factor}, size={self.size}, '
            f'short_side={self.short_side}, resize_labels={self.resize_labels})'
        )


@TRANSFORMS.register_module()
class RandomScale(BaseTransform):
    """Scale image and labels by one random factor for both sides, uniform from ``low`` to ``high``.

    Args:
        low: Lowest factor, above 0.
        high: Highest factor.

    Raises:
        InvalidInputError: ``low`` is not positive or above ``high``.
    """

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = geometry.interval((low, high), 'range of RandomScale', 1e-6)

    def transform(self, results: dict) -> dict:
        factor = np.random.uniform(self.low, self.high)
        height, width = (max(1, round(side * factor)) for side in results['img'].shape[:2])
        geometry.resize(results, height, width)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(low={self.low}, high={self.high})'


@TRANSFORMS.register_module()
class RandomLongSide(BaseTransform):
    """Scale the longer side to a random length; the aspect ratio does not change.

    Args:
        low: Least length in pixels, at least 1.
        high: Greatest length in pixels; every whole number from ``low`` to ``high`` is
            equally likely.
        interpolation: Of the image: ``'bilinear'`` or ``'bicubic'``.

    Raises:
        InvalidInputError: They are not whole numbers in that order, or there is no such
            interpolation.
    """

    def __init__(self, low: int, high: int, interpolation: str = 'bilinear') -> None:
        if not (isinstance(low, int) and isinstance(high, int) and 1 <= low <= high):
            raise expected(
                'range of RandomLongSide', (low, high), 'whole numbers, 1 <= low <= high'
            )
        if interpolation not in geometry.INTERPOLATIONS:
            raise expected(
                'interpolation of RandomLongSide', interpolation, any_of(geometry.INTERPOLATIONS)
            )
        self.low, self.high, self.interpolation = low, high, interpolation

    def transform(self, results: dict) -> dict:
        height, width = results['img'].shape[:2]
        factor = np.random.randint(self.low, self.high + 1) / max(height, width)
        height, width = (max(1, round(side * factor)) for side in (height, width))
        geometry.resize(results, height, width, interpolation=self.interpolation)
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(low={self.low}, high={self.high}, '
            f'interpolation={self.interpolation!r})'
        )
