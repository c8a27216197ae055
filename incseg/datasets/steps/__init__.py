"""Any data set as a step of a protocol sees it: images, labels, batches."""

from incseg.datasets.steps.batch_samplers import ReplayBatchSampler, StepBatchSampler
from incseg.datasets.steps.collate import collate_samples
from incseg.datasets.steps.incremental_dataset import IncrementalDataset
from incseg.datasets.steps.parts_dataset import PartsDataset
from incseg.datasets.steps.planned_steps import PlannedSteps
from incseg.datasets.steps.replay_dataset import ReplayDataset
from incseg.datasets.steps.weak_dataset import WeakDataset

__all__ = [
    'IncrementalDataset',
    'PlannedSteps',
    'ReplayBatchSampler',
    'ReplayDataset',
    'StepBatchSampler',
    'PartsDataset',
    'WeakDataset',
    'collate_samples',
]
