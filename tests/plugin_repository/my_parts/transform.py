import numpy as np
from mmcv.transforms import BaseTransform

from incseg.datasets.transforms import geometry
from incseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PosteriseAndFlip(BaseTransform):
    """Fewer grey levels, and now and then upside down."""

    def __init__(self, levels=16, prob=0.5):
        self.width = 256 // levels
        self.prob = geometry.interval((0, prob), 'prob of PosteriseAndFlip', 0, 1)[1]

    def transform(self, results):
        results['img'] = (results['img'] // self.width * self.width).astype(np.uint8)
        if np.random.uniform() < self.prob:
            geometry.flip(results, 0)
        return results
