"""From image-level labels to what a step reads: SEAM is trained, its labels are written."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import is_main_process

from incseg.datasets import PseudoLabelFiles
from incseg.datasets.pseudo_labels.pseudo_label_files import label_folders
from incseg.datasets.steps.weak_dataset import WeakDataset
from incseg.engine.recipe.data import weak_labels
from incseg.engine.recipe.experiment import Experiment, resolve
from incseg.engine.recipe.identity import digest
from incseg.engine.weak.evaluate_pseudo_labels import check_classes
from incseg.engine.weak.pseudo_labels import pseudo_label_job
from incseg.engine.weak.seam_config import seam_dataset_config, without_places
from incseg.engine.weak.seam_store import labels_root, seam_folder
from incseg.engine.weak.seam_training import check_labelling, check_start, train_seam
from incseg.engine.work_dir import WorkDir, write_run_config
from incseg.errors import InvalidInputError, MissingFileError
from incseg.evaluation.run_settings import LABELS, read_run_config
from incseg.protocols import Protocol
from incseg.registry import DATASETS


def make_annotation(
    experiment: Experiment, k: int, step0: Path | None, previous: Path | None = None
) -> None:
    """Make the pseudo-labels of step ``k``, as far as they are missing.

    What an interrupted call left is completed.  All processes of a group call
    this; for a step that is trained on masks, or on labels that the config
    names a folder of, there is nothing to do.

    Args:
        experiment: The experiment.
        k: The step.
        step0: Step 0's ``final.pth``, for ``seam.init_from='step0'``.
        previous: That of the step before, for ``seam.negatives`` that look
            through it.

    Raises:
        UserError: Whatever is wrong with the input.
    """
    if not is_weak(experiment, k) or experiment.config['annotation']['folder'] is not None:
        return
    for protocol, step in label_parts(experiment, k):
        folder = seam_folder(experiment, step, previous)
        say(f'pseudo-labels of {protocol.name} step {step}: SEAM in {folder}')
        checkpoint = train_seam(
            experiment, step, folder, resume=True, step0=step0, previous=previous
        )
        pseudo_label_job(
            experiment,
            checkpoint,
            labels_root(experiment, step, previous, protocol),
            step=step,
            protocol=protocol,
            resume=True,
        )


def check_labels(experiment: Experiment, k: int, dataset: Any) -> None:
    """Refuse what would stop step ``k`` before its training, as far as it is known beforehand.

    That are labels and files which the config names but which are not there,
    classes that SEAM could not learn from the images of its step, and scales at
    which nothing is left of an image.

    Args:
        experiment: The experiment.
        k: The step.
        dataset: Its images, see :func:`incseg.engine.recipe.data.step_dataset`.

    Raises:
        UserError: Whatever is wrong with the input.
    """
    if not is_weak(experiment, k):
        return
    if experiment.config['annotation']['folder'] is not None:
        check_label_folder(experiment, k, dataset)
        return
    for _, step in label_parts(experiment, k):
        images = DATASETS.build(
            dict(seam_dataset_config(experiment, step), dataset=dataset.dataset)
        )
        check_labelling(experiment, images)
    check_start(experiment)


def annotation_entry(
    experiment: Experiment, k: int, previous: Path | None = None
) -> dict[str, Any]:
    """What the ledger says of the labels of step ``k``: nothing where they are masks.

    How they were made is in the keys of their ``meta.json``, of a path the last
    part; ``annotation`` has what the config reads them with instead, where it
    does.  ``previous`` is the ``final.pth`` of the step before, if there is one.
    """
    if not is_weak(experiment, k):
        return {}
    keys = (
        'scope',
        'negatives',
        'pretrained',
        'init_from',
        'refine',
        'bg',
        'ckpt_sha',
        'image_label_source',
        'image_labels_sha',
    )
    annotation = experiment.config['annotation']
    given = {
        key: annotation[key]
        for key in ('threshold', 'uncertain', 'gating')
        if annotation[key] is not None and annotation[key] is not False
    }
    read_with = dict(annotation=given) if given else {}
    made_by = [
        {
            **{
                key: without_places(value)
                for key, value in files.read_meta().items()
                if key in keys
            },
            **read_with,
        }
        for files in label_files(experiment, k, previous)
    ]
    return dict(pseudo_labels=made_by)


def say(text: str) -> None:
    if is_main_process():
        print(text, flush=True)


def is_weak(experiment: Experiment, k: int) -> bool:
    """Whether step ``k`` is trained on pseudo-labels."""
    annotation = experiment.config.get('annotation')
    return annotation is not None and (experiment.joint or k > 0 or annotation['steps'] == 'all')


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
        threshold=annotation['threshold'],
        uncertain=annotation['uncertain'],
        gating=annotation['gating'],
        mask_classes=list(experiment.protocol.base_classes) if masked else [],
    )


def image_labels(experiment: Experiment) -> dict[str, Any]:
    """Config of where image-level labels come from."""
    config = experiment.config
    return resolve(config.get('seam') or {}, config).get('image_labels') or dict(
        type='MaskImageLabels'
    )


def scope(experiment: Experiment) -> str:
    """Which classes and images a network of class activation maps knows."""
    return (experiment.config.get('seam') or {}).get('scope', 'step')


def check_label_folder(experiment: Experiment, k: int, dataset: Any) -> None:
    """Refuse labels that step ``k`` could not be trained on.

    Args:
        experiment: The experiment; its ``annotation.folder`` names labels.
        k: A step that learns from them.
        dataset: Its :class:`IncrementalDataset`.

    Raises:
        MissingFileError: The labels of the step or of one of its images are
            not there; says where they were looked for and which folder is
            expected, and, where the given one is below it, names that.
        InvalidInputError: They are of other classes.
    """
    for (protocol, step), files in zip(
        label_parts(experiment, k), label_files(experiment, k), strict=True
    ):
        leaf = f'{protocol.name}/{step}'
        if not files.meta_path.is_file():
            raise MissingFileError(
                where_expected(Path(experiment.config['annotation']['folder']), leaf)
            )
        check_classes(files, dataset.dataset)
        ids = files.read_meta()['ids']
        lacking = tuple(sorted(set(protocol.new(step)) - set(ids)))
        if lacking:
            raise InvalidInputError(
                f"annotation.folder: the labels in '{files.folder}' are of the dataset ids {ids}, "
                f'step {step} of {protocol.name} also learns '
                f'{", ".join(experiment.names(lacking))} ({", ".join(map(str, lacking))})'
            )
        check_images(experiment, files, ids, dataset)


def check_images(
    experiment: Experiment, files: PseudoLabelFiles, ids: list[int], dataset: Any
) -> None:
    """Each image that shows one of the classes has its label map, and scores where they are read.

    Joint training reads every image; where nothing comes from masks, or from
    another folder, each of them needs its label map.
    """
    annotation = experiment.config['annotation']
    shown = dataset.image_labels[dataset.indices][:, ids].any(1)
    every = (
        experiment.joint and annotation['steps'] == 'all' and (len(label_parts(experiment, 0)) == 1)
    )
    wanted = [name for name, there in zip(dataset.image_ids, shown, strict=True) if there or every]
    missing = [name for name in wanted if not files.label_path(name).is_file()]
    if missing:
        raise MissingFileError(
            f"annotation.folder: '{files.label_path(missing[0])}' does not exist ({len(missing)} "
            f'of {len(wanted)} images of the step lack their label map)'
        )
    from_scores = [annotation['threshold'], annotation['uncertain'], annotation['gating'] or None]
    if any(value is not None for value in from_scores):
        missing = [name for name in wanted if not files.score_path(name).is_file()]
        if missing:
            raise MissingFileError(
                f"annotation.folder: '{files.score_path(missing[0])}' does not exist "
                f'({len(missing)} of {len(wanted)}); annotation.threshold, uncertain and gating '
                'need the scores: make the pseudo-labels with seam.inference.scores=True'
            )


def where_expected(given: Path, leaf: str) -> str:
    """The message for a folder without ``<leaf>/meta.json``: what is there, and what would do."""
    message = (
        f"annotation.folder is '{given}': expected is the root of pseudo-labels, the folder "
        f"that holds '{leaf}/meta.json'"
    )
    above = [
        folder
        for folder in (given.parent, given.parent.parent)
        if (folder / leaf / 'meta.json').is_file()
    ]
    if above:
        return f"{message}; '{above[0]}' is that root, the one given lies below it"
    if not given.is_dir():
        return f'{message}; there is no such folder'
    if (given / 'meta.json').is_file():
        return f'{message}; the one given holds the labels of a single step itself'
    return f'{message}; it holds {", ".join(label_folders(given)) or "no labels"}'


def label_digests(experiment: Experiment, datasets: Mapping[int, Any]) -> dict[str, str]:
    """For each step that learns from image-level labels what tells them from others.

    Args:
        experiment: The experiment.
        datasets: The data set of each step, see
            :func:`incseg.engine.recipe.data.step_dataset`.
    """
    if weak_labels(experiment) is None:
        return {}
    return {
        str(k): digest([dataset.indices.tolist(), own_labels(experiment, k, dataset).tolist()])
        for k, dataset in datasets.items()
        if dataset.image_labels is not None
    }


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
                'that it was trained on; pass another --work-dir, or put the labels back'
            )


def write_settings(work_dir: WorkDir, now: Mapping[str, str]) -> None:
    """Keep the complete config beside the results, and what tells the labels from others."""
    before = (read_run_config(work_dir.path) or {}).get(LABELS) or {}
    kept = {**before, **now}
    config = dict(work_dir.experiment.config)
    write_run_config({**config, LABELS: kept} if kept else config, work_dir.path)
