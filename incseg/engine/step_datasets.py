"""The training images of a protocol's steps."""

from collections.abc import Sequence
from typing import Any

from incseg.engine.labels import StepLabels, check_masks, training_set
from incseg.engine.recipe.experiment import Experiment
from incseg.registry import DATASETS


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
