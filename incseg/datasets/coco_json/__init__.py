"""Annotations in COCO's form, read and drawn as label maps."""

from incseg.datasets.coco_json.instances import category_map, mask_names, read_coco_json
from incseg.datasets.coco_json.painted import PaintedMasks

__all__ = ['PaintedMasks', 'category_map', 'mask_names', 'read_coco_json']
