"""Which classes an image shows, from masks, from VOC's XML files or from a JSON file."""
from incseg.datasets.image_labels.base_image_labels import BaseImageLabels
from incseg.datasets.image_labels.json_image_labels import JSONImageLabels
from incseg.datasets.image_labels.mask_image_labels import MaskImageLabels
from incseg.datasets.image_labels.part_image_labels import PartImageLabels
from incseg.datasets.image_labels.visible_labels import visible_labels
from incseg.datasets.image_labels.voc_xml_image_labels import VOCXMLImageLabels
from incseg.datasets.image_labels.write_image_labels import write_image_labels

__all__ = [
    'BaseImageLabels', 'JSONImageLabels', 'MaskImageLabels', 'PartImageLabels', 'VOCXMLImageLabels',
    'visible_labels', 'write_image_labels',
]
