"""Which classes an image shows, from masks, from VOC's XML files or from a JSON file."""

from incseg.datasets.image_labels.base import BaseImageLabels, visible_labels, write_image_labels
from incseg.datasets.image_labels.json_and_xml import JSONImageLabels, VOCXMLImageLabels
from incseg.datasets.image_labels.masks import MaskImageLabels, PartImageLabels

__all__ = [
    'BaseImageLabels',
    'JSONImageLabels',
    'MaskImageLabels',
    'PartImageLabels',
    'VOCXMLImageLabels',
    'visible_labels',
    'write_image_labels',
]
