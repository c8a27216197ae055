"""What is checked before the first step of a run is trained."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from incseg.engine.labels import StepLabels
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.start_checks.hidden import check_hidden
from incseg.engine.start_checks.images import check_images
from incseg.engine.start_checks.settings import doubts
from incseg.utils.distributed import on_rank_zero


def check_start(
    experiment: Experiment, labels: Sequence[StepLabels], datasets: Mapping[int, Any]
) -> None:
    """Refuse what would stop a step later, and warn of what may be a mistake.

    All processes call this; the first one reads the files.

    Args:
        experiment: The experiment.
        labels: The labels of all its steps.
        datasets: The training images of each step that is to be trained, by step.

    Raises:
        UserError: See :meth:`StepLabels.check` and
            :func:`incseg.engine.start_checks.images.check_images`; or a loss does not
            understand the labels of a step.

    Warns:
        UserWarning: One line for each doubt.
    """
    for k, dataset in datasets.items():
        labels[k].check(dataset)
    check_hidden(experiment, datasets)

    def check() -> None:
        for line in doubts(experiment, {k: len(dataset) for k, dataset in datasets.items()}):
            warnings.warn(line)
        check_images(experiment, datasets)

    if datasets:
        on_rank_zero(check)
