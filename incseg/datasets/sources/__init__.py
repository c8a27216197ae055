"""The data sets, each as its publisher lays it out; none of them knows of steps."""

from incseg.datasets.sources.ade20k import ADE20KDataset
from incseg.datasets.sources.camvid import CamVidDataset
from incseg.datasets.sources.cityscapes import CityscapesDataset
from incseg.datasets.sources.coco import COCODataset, COCOVOCDataset
from incseg.datasets.sources.folder import FolderDataset
from incseg.datasets.sources.shapes import ShapesDataset
from incseg.datasets.sources.voc import VOCDataset

__all__ = [
    'ADE20KDataset',
    'COCODataset',
    'COCOVOCDataset',
    'CamVidDataset',
    'CityscapesDataset',
    'FolderDataset',
    'ShapesDataset',
    'VOCDataset',
]
