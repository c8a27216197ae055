from incseg.datasets.image_labels import (
    BaseImageLabels,
    JSONImageLabels,
    MaskImageLabels,
    PartImageLabels,
    VOCXMLImageLabels,
    visible_labels,
    write_image_labels,
)
from incseg.datasets.joined_dataset import JoinedDataset
from incseg.datasets.label_maps.files import colour_map, read_label_file
from incseg.datasets.label_maps.reader import LabelReader
from incseg.datasets.negatives import BackgroundCrops, NegativeFolder, OldModelLabels
from incseg.datasets.pseudo_labels.background_rule import BackgroundRule
from incseg.datasets.pseudo_labels.coco_export import export_coco
from incseg.datasets.pseudo_labels.files import PseudoLabelFiles
from incseg.datasets.pseudo_labels.score_file import ScoreFile
from incseg.datasets.pseudo_labels.view import PseudoLabelView
from incseg.datasets.seg_dataset import SegDataset
from incseg.datasets.sources.camvid import CamVidDataset
from incseg.datasets.sources.coco import COCODataset, COCOVOCDataset
from incseg.datasets.sources.shapes import ShapesDataset
from incseg.datasets.sources.voc import VOCDataset
from incseg.datasets.steps.incremental_dataset import IncrementalDataset
from incseg.datasets.steps.replay_dataset import ReplayDataset
from incseg.datasets.steps.samplers import ReplayBatchSampler, StepBatchSampler
from incseg.datasets.steps.samples import collate_samples
from incseg.datasets.steps.weak_dataset import WeakDataset
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

__all__ = [
    'BackgroundCrops',
    'BackgroundRule',
    'BaseImageLabels',
    'COCODataset',
    'COCOVOCDataset',
    'CamVidDataset',
    'CenterCrop',
    'ColourJitter',
    'IncrementalDataset',
    'JSONImageLabels',
    'JoinedDataset',
    'LabelReader',
    'LoadImage',
    'LoadLabels',
    'LoadPseudoLabels',
    'MaskImageLabels',
    'NegativeFolder',
    'OldModelLabels',
    'PackSegInputs',
    'Pad',
    'PartImageLabels',
    'PseudoLabelFiles',
    'PseudoLabelView',
    'RandomCrop',
    'RandomFlip',
    'RandomLongSide',
    'RandomResizedCrop',
    'RandomRotation',
    'RandomScale',
    'ReplayBatchSampler',
    'ReplayDataset',
    'Resize',
    'ScoreFile',
    'SegDataset',
    'ShapesDataset',
    'StepBatchSampler',
    'VOCDataset',
    'VOCXMLImageLabels',
    'WeakDataset',
    'collate_samples',
    'colour_map',
    'export_coco',
    'read_label_file',
    'visible_labels',
    'write_image_labels',
]
