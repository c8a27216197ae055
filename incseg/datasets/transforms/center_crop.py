from collections.abc import Sequence

from mmcv.transforms import BaseTransform

from incseg.datasets.transforms import geometry
from incseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class CenterCrop(BaseTransform):
    """Cut the central window; smaller images are padded on all sides first.

    With ``Resize(short_side=512)`` before it, this is how MiB evaluates.

    Args:
        size: ``(height, width)`` in pixels, or an int for a square.

    Raises:
        InvalidInputError: the size is not positive.
    """

    def __init__(self, size: int | Sequence[int]) -> None:
        self.size = geometry.pair(size, 'size of CenterCrop')

    def transform(self, results: dict) -> dict:
        shape = results['img'].shape[:2]
        rows, columns = (max(0, want - have) for want, have in zip(self.size, shape, strict=True))
        geometry.pad(results, rows // 2, rows - rows // 2, columns // 2, columns - columns // 2)
        top, left = (max(0, have - want) // 2 for want, have in zip(self.size, shape, strict=True))
        geometry.crop(results, top, left, *self.size)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(size={self.size})'
