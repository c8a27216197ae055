from incseg.datasets.background_rule import BackgroundRule
from incseg.datasets.camvid import CamVidDataset
from incseg.datasets.coco import COCODataset
from incseg.datasets.coco_export import export_coco
from incseg.datasets.coco_voc import COCOVOCDataset
from incseg.datasets.collate import collate_samples
from incseg.datasets.colour_map import colour_map
from incseg.datasets.image_labels import (
    BaseImageLabels,
    JSONImageLabels,
    MaskImageLabels,
    PartImageLabels,
    VOCXMLImageLabels,
    visible_labels,
    write_image_labels,
)
from incseg.datasets.incremental_dataset import IncrementalDataset
from incseg.datasets.joined_dataset import JoinedDataset
from incseg.datasets.label_files import read_label_file
from incseg.datasets.label_reader import LabelReader
from incseg.datasets.negatives import BackgroundCrops, NegativeFolder, OldModelLabels
from incseg.datasets.pseudo_label_files import PseudoLabelFiles
from incseg.datasets.pseudo_label_view import PseudoLabelView
from incseg.datasets.replay_batch_sampler import ReplayBatchSampler
from incseg.datasets.replay_dataset import ReplayDataset
from incseg.datasets.score_file import ScoreFile
from incseg.datasets.seg_dataset import SegDataset
from incseg.datasets.shapes import ShapesDataset
from incseg.datasets.step_batch_sampler import StepBatchSampler
from incseg.datasets.transforms import (
    CenterCrop,
    ColourJitter,
    LoadImage,
    LoadLabels,
    LoadPseudoLabels,
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
    'BackgroundCrops', 'BackgroundRule', 'BaseImageLabels', 'COCODataset', 'COCOVOCDataset',
    'CamVidDataset', 'CenterCrop', 'ColourJitter', 'IncrementalDataset', 'JSONImageLabels',
    'JoinedDataset', 'LabelReader', 'LoadImage', 'LoadLabels', 'LoadPseudoLabels',
    'MaskImageLabels', 'NegativeFolder', 'OldModelLabels', 'PackSegInputs', 'Pad',
    'PartImageLabels', 'PseudoLabelFiles', 'PseudoLabelView', 'RandomCrop', 'RandomFlip',
    'RandomLongSide', 'RandomResizedCrop', 'RandomRotation', 'RandomScale', 'ReplayBatchSampler',
    'ReplayDataset', 'Resize', 'ScoreFile', 'SegDataset', 'ShapesDataset', 'StepBatchSampler',
    'VOCDataset', 'VOCXMLImageLabels', 'WeakDataset', 'collate_samples', 'colour_map',
    'export_coco', 'read_label_file', 'visible_labels', 'write_image_labels',
]
