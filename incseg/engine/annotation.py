"""What a step's labels are: masks, or pseudo-labels made from image-level labels."""
from pathlib import Path
from typing import Any

from incseg.datasets import PseudoLabelFiles
from incseg.engine.experiment import Experiment
from incseg.engine.resolve import resolve
from incseg.engine.seam_store import labels_root
from incseg.protocols import Protocol


def is_weak(experiment: Experiment, k: int) -> bool:
    """Whether step ``k`` is trained on pseudo-labels."""
    annotation = experiment.config.get('annotation')
    return annotation is not None and (
        experiment.joint or k > 0 or annotation['steps'] == 'all')


def label_parts(experiment: Experiment, k: int) -> list[tuple[Protocol, int]]:
    """Of which protocol's which steps the pseudo-labels of step ``k`` are.

    That is the step itself.  Joint training reads the labels of every step
    where a network knows one step's classes alone.
    """
    if experiment.joint and scope(experiment) == 'step':
        first = 0 if experiment.config['annotation']['steps'] == 'all' else 1
        return [(experiment.protocol, j) for j in range(first, experiment.protocol.num_steps)]
    return [(experiment.training, k)]


def label_files(
    experiment: Experiment, k: int, previous: str | Path | None = None
) -> list[PseudoLabelFiles]:
    """The pseudo-labels that step ``k`` reads, there or not yet.

    Args:
        experiment: The experiment.
        k: The step.
        previous: ``final.pth`` of the step before; where ``seam.negatives``
            looks through it, their place depends on it.
    """
    given = experiment.config['annotation']['folder']
    found = []
    for protocol, step in label_parts(experiment, k):
        root = labels_root(experiment, step, previous, protocol) if given is None else given
        found.append(PseudoLabelFiles.of_step(root, protocol.name, step))
    return found


def labels_loader(
    experiment: Experiment, k: int, previous: str | Path | None = None
) -> dict[str, Any]:
    """Config of the transform that loads the labels of step ``k``; see :func:`label_files`."""
    if not is_weak(experiment, k):
        return dict(type='LoadLabels')
    annotation = experiment.config['annotation']
    masked = experiment.joint and annotation['steps'] == 'added'
    return dict(
        type='LoadPseudoLabels',
        folders=[str(files.folder) for files in label_files(experiment, k, previous)],
        threshold=annotation['threshold'], uncertain=annotation['uncertain'],
        gating=annotation['gating'],
        mask_classes=list(experiment.protocol.base_classes) if masked else [])


def image_labels(experiment: Experiment) -> dict[str, Any]:
    """Config of where image-level labels come from."""
    config = experiment.config
    return resolve(config.get('seam') or {}, config).get(
        'image_labels') or dict(type='MaskImageLabels')


def scope(experiment: Experiment) -> str:
    """Which classes and images a network of class activation maps knows."""
    return (experiment.config.get('seam') or {}).get('scope', 'step')
