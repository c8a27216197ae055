from incseg.datasets.camvid import CamVidDataset
from incseg.datasets.collate import collate_samples
from incseg.datasets.colour_map import colour_map
from incseg.datasets.incremental_dataset import IncrementalDataset
from incseg.datasets.label_files import read_label_file
from incseg.datasets.label_reader import LabelReader
from incseg.datasets.replay_batch_sampler import ReplayBatchSampler
from incseg.datasets.replay_dataset import ReplayDataset
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
    RandomResizedCrop,
    RandomRotation,
    RandomScale,
    Resize,
)
from incseg.datasets.voc import VOCDataset

__all__ = [
    'CamVidDataset', 'CenterCrop', 'ColourJitter', 'IncrementalDataset', 'LabelReader', 'LoadImage',
    'LoadLabels', 'PackSegInputs', 'Pad', 'RandomCrop', 'RandomFlip', 'RandomResizedCrop',
    'RandomRotation', 'RandomScale', 'ReplayBatchSampler', 'ReplayDataset', 'Resize', 'SegDataset',
    'ShapesDataset', 'StepBatchSampler', 'VOCDataset', 'collate_samples', 'colour_map',
    'read_label_file',
]
