from incseg.datasets.camvid import CamVidDataset
from incseg.datasets.collate import collate_samples
from incseg.datasets.colour_map import colour_map
from incseg.datasets.incremental_dataset import IncrementalDataset
from incseg.datasets.label_files import read_label_file
from incseg.datasets.label_reader import LabelReader
from incseg.datasets.negative_folder import NegativeFolder
from incseg.datasets.seg_dataset import SegDataset
from incseg.datasets.shapes import ShapesDataset
from incseg.datasets.step_batch_sampler import StepBatchSampler
from incseg.datasets.transforms import (
    CenterCrop,
    ColourJitter,
    LoadImage,
    LoadLabels,
    PackSegInputs,
    Pad,
    RandomCrop,
    RandomFlip,
    RandomLongSide,
    RandomResizedCrop,
    RandomRotation,
    RandomScale,
    Resize,
)
from incseg.datasets.voc import VOCDataset
from incseg.datasets.weak_dataset import WeakDataset

__all__ = [
    'CamVidDataset', 'CenterCrop', 'ColourJitter', 'IncrementalDataset', 'LabelReader', 'LoadImage',
    'LoadLabels', 'NegativeFolder', 'PackSegInputs', 'Pad', 'RandomCrop', 'RandomFlip',
    'RandomLongSide', 'RandomResizedCrop', 'RandomRotation', 'RandomScale', 'Resize', 'SegDataset',
    'ShapesDataset', 'StepBatchSampler', 'VOCDataset', 'WeakDataset', 'collate_samples',
    'colour_map', 'read_label_file',
]
