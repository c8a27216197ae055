"""Image-level labels of a work dir's steps, told from others: kept in its ``config.json``."""
from collections.abc import Mapping
from typing import Any

import numpy as np

from incseg.datasets.weak_dataset import WeakDataset
from incseg.engine.config_hash import digest
from incseg.engine.experiment import Experiment
from incseg.engine.run_config import write_run_config
from incseg.engine.training_set import weak_labels
from incseg.engine.work_dir import WorkDir
from incseg.errors import InvalidInputError
from incseg.evaluation.run_settings import LABELS, read_run_config


def label_digests(experiment: Experiment, datasets: Mapping[int, Any]) -> dict[str, str]:
    """For each step that learns from image-level labels what tells them from others.

    Args:
        experiment: The experiment.
        datasets: The data set of each step, see
            :func:`incseg.engine.step_dataset.step_dataset`.
    """
    if weak_labels(experiment) is None:
        return {}
    return {str(k): digest([dataset.indices.tolist(), own_labels(experiment, k, dataset).tolist()])
            for k, dataset in datasets.items() if dataset.image_labels is not None}


def own_labels(experiment: Experiment, k: int, dataset: Any) -> np.ndarray:
    """Those of a step's images, of the classes that it learns: ``(images, classes)``."""
    labels: np.ndarray = dataset.image_labels
    if isinstance(dataset, WeakDataset):  # has no others
        return labels
    return labels[dataset.indices][:, list(experiment.training.new(k))]


def check_label_digests(work_dir: WorkDir, now: Mapping[str, str]) -> None:
    """Refuse to go on with steps whose image-level labels are others by now.

    Raises:
        InvalidInputError: Naming the step.
    """
    before = (read_run_config(work_dir.path) or {}).get(LABELS) or {}
    for k, value in now.items():
        begun = work_dir.checkpoint(int(k)).is_file() or work_dir.interrupted(int(k)) is not None
        if work_dir.resume and begun and before.get(k, value) != value:
            raise InvalidInputError(
                f'{work_dir.path}: the image-level labels of step {k} are others than those '
                'that it was trained on; pass another --work-dir, or put the labels back')


def write_settings(work_dir: WorkDir, now: Mapping[str, str]) -> None:
    """Keep the complete config beside the results, and what tells the labels from others."""
    before = (read_run_config(work_dir.path) or {}).get(LABELS) or {}
    kept = {**before, **now}
    config = dict(work_dir.experiment.config)
    write_run_config({**config, LABELS: kept} if kept else config, work_dir.path)
