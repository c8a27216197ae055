"""Image-level labels, the classes that each image shows: from masks, XML or JSON files."""

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
