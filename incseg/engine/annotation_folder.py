"""Are the pseudo-labels that ``annotation.folder`` names there, and all of them?"""
from pathlib import Path
from typing import Any

from incseg.datasets import PseudoLabelFiles
from incseg.datasets.label_folders import label_folders
from incseg.engine.annotation import label_files, label_parts
from incseg.engine.experiment import Experiment
from incseg.engine.pseudo_label_meta import check_classes
from incseg.errors import InvalidInputError, MissingFileError


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
            label_parts(experiment, k), label_files(experiment, k), strict=True):
        leaf = f'{protocol.name}/{step}'
        if not files.meta_path.is_file():
            raise MissingFileError(where_expected(
                Path(experiment.config['annotation']['folder']), leaf))
        check_classes(files, dataset.dataset)
        ids = files.read_meta()['ids']
        lacking = tuple(sorted(set(protocol.new(step)) - set(ids)))
        if lacking:
            raise InvalidInputError(
                f"annotation.folder: the labels in '{files.folder}' are of the dataset ids {ids}, "
                f"step {step} of {protocol.name} also learns "
                f"{', '.join(experiment.names(lacking))} ({', '.join(map(str, lacking))})")
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
    every = experiment.joint and annotation['steps'] == 'all' and (
        len(label_parts(experiment, 0)) == 1)
    wanted = [name for name, there in zip(dataset.image_ids, shown, strict=True)
              if there or every]
    missing = [name for name in wanted if not files.label_path(name).is_file()]
    if missing:
        raise MissingFileError(
            f"annotation.folder: '{files.label_path(missing[0])}' does not exist ({len(missing)} "
            f'of {len(wanted)} images of the step lack their label map)')
    from_scores = [annotation['threshold'], annotation['uncertain'], annotation['gating'] or None]
    if any(value is not None for value in from_scores):
        missing = [name for name in wanted if not files.score_path(name).is_file()]
        if missing:
            raise MissingFileError(
                f"annotation.folder: '{files.score_path(missing[0])}' does not exist "
                f'({len(missing)} of {len(wanted)}); annotation.threshold, uncertain and gating '
                'need the scores: make the pseudo-labels with seam.inference.scores=True')


def where_expected(given: Path, leaf: str) -> str:
    """The message for a folder without ``<leaf>/meta.json``: what is there, and what would do."""
    message = (f"annotation.folder is '{given}': expected is the root of pseudo-labels, the folder "
               f"that holds '{leaf}/meta.json'")
    above = [folder for folder in (given.parent, given.parent.parent)
             if (folder / leaf / 'meta.json').is_file()]
    if above:
        return f"{message}; '{above[0]}' is that root, the one given lies below it"
    if not given.is_dir():
        return f'{message}; there is no such folder'
    if (given / 'meta.json').is_file():
        return f'{message}; the one given holds the labels of a single step itself'
    return f"{message}; it holds {', '.join(label_folders(given)) or 'no labels'}"
