from pathlib import Path
from typing import Any

from incseg.engine.data_config import dataset_config
from incseg.engine.experiment import Experiment
from incseg.registry import DATASETS, TASK_UTILS


def step_dataset(
    experiment: Experiment, k: int, source: Any, previous: str | Path | None = None
) -> Any:
    """The training images of step ``k`` and their labels.

    Args:
        experiment: The experiment.
        k: The step.
        source: The whole data set, built once for all steps.
        previous: ``final.pth`` of the step before, on which the place of
            pseudo-labels may depend; None as long as no sample is used.

    Returns:
        An :class:`IncrementalDataset`, or a :class:`WeakDataset` where the
        method has image-level labels alone.

    Raises:
        InvalidInputError: If the step has no image, or, with image-level
            labels, a class that is in every image.
    """
    settings = dict(dataset_config(experiment, k, 'train', previous), dataset=source)
    if settings['type'] == 'WeakDataset':
        settings.update(
            protocol=experiment.training,
            image_labels=TASK_UTILS.build(
                settings['image_labels'], default_args=dict(dataset=source)))
    return DATASETS.build(settings)
