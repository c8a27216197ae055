"""The training images of a protocol's steps."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from incseg.datasets import SegDataset
from incseg.engine.labels import StepLabels, all_labels, training_set
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.step_sources import OneDataset
from incseg.errors import MissingFileError
from incseg.registry import DATASETS, TASK_UTILS


def step_datasets(
    experiment: Experiment, labels: Sequence[StepLabels], steps: Sequence[int]
) -> dict[int, Any]:
    """Build the training images of some steps; steps with equal sources share one.

    Args:
        experiment: The experiment.
        labels: The labels of every step.
        steps: The steps.

    Returns:
        A data set for each step.

    Raises:
        UserError: A file is missing or damaged, or the masks hold other ids than the config says.
    """
    built: list[tuple[dict[str, Any], Any]] = []
    datasets = {}
    for k in steps:
        config = training_set(experiment, k, labels)
        source = next((source for known, source in built if known == config), None)
        if source is None:
            source = DATASETS.build(config)
            check_masks(experiment, source)
            built.append((config, source))
        datasets[k] = labels[k].build(source)
    return datasets


def check_masks(experiment: Experiment, dataset: SegDataset) -> None:
    """Refuse an image without a mask that only a step on masks can use.

    The image-level labels say so: the image shows a class of a step on masks and no other class.
    An image that shows both serves the other steps.

    Raises:
        MissingFileError: Naming the first such mask and the number of such images.
    """
    if dataset.has_mask.all():
        return
    if not isinstance(experiment.sources, OneDataset):
        lacking = np.flatnonzero(~dataset.has_mask)
        info = dataset.get_data_info(int(lacking[0]))
        raise MissingFileError(
            f"label file '{info['seg_map_path']}' does not exist ({len(lacking)} images of "
            f'{len(dataset)} have none); {dataset.how_to_get}'
        )
    labels = all_labels(experiment)
    learned = {i for step in labels for i in step.mask_classes}
    from_masks = [i for i in experiment.protocol.class_order if i in learned]
    others = [i for i in experiment.protocol.class_order if i not in learned]
    if not from_masks:
        return
    config = next(step.image_labels() for step in labels if step.partly_labelled)
    source = TASK_UTILS.build(dict(config or {}), default_args=dict(dataset=dataset))
    presence = source.labels(dataset.image_ids)
    lacking = np.flatnonzero(
        presence[:, from_masks].any(1) & ~presence[:, others].any(1) & ~dataset.has_mask
    )
    if len(lacking):
        first = int(lacking[0])
        info = dataset.get_data_info(first)
        names = experiment.names(tuple(i for i in from_masks if presence[first, i]))
        raise MissingFileError(
            f"label file '{info['seg_map_path']}' does not exist: the image shows "
            f'{", ".join(names)} and no class of a step without masks, so the base step needs it '
            f'({len(lacking)} such images have none); {dataset.how_to_get}'
        )
