import numpy as np
from mmcv.transforms import BaseTransform

from incseg.datasets.transforms import geometry
from incseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomScale(BaseTransform):
    """Scale both sides by one random factor, uniform between ``low`` and ``high``.

    Args:
        low: lowest factor, above 0.
        high: highest factor.

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
