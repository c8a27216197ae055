"""Label maps made from the files that a data set is published with."""

from incseg.datasets.preparation.coco_masks import paint_coco_masks
from incseg.datasets.preparation.sbd_masks import make_sbd_masks

__all__ = [
    'make_sbd_masks',
    'paint_coco_masks',
]
