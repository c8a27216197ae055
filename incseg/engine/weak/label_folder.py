"""The folder of pseudo-labels that a config names: whether a step can be trained on it."""

from pathlib import Path
from typing import Any

from incseg.datasets import PseudoLabelFiles
from incseg.datasets.pseudo_labels.pseudo_label_files import label_folders
from incseg.engine.weak.evaluate_pseudo_labels import check_classes
from incseg.errors import InvalidInputError, MissingFileError


def check_label_folder(labels: Any, dataset: Any) -> None:
    """Refuse labels in ``annotation.folder`` that the step could not be trained on.

    Args:
        labels: The step's labels, which name a folder.
        dataset: Its :class:`IncrementalDataset`.

    Raises:
        MissingFileError: The labels of the step or of one of its images are
            not there; says where they were looked for and which folder is
            expected, and, where the given one is below it, names that.
        InvalidInputError: They are of other classes.
    """
    experiment = labels.experiment
    for (protocol, step), files in zip(labels.parts, labels.files(), strict=True):
        leaf = f'{protocol.name}/{step}'
        if not files.meta_path.is_file():
            raise MissingFileError(where_expected(Path(str(labels.folder)), leaf))
        check_classes(files, dataset.dataset)
        ids = files.read_meta()['ids']
        lacking = tuple(sorted(set(protocol.new(step)) - set(ids)))
        if lacking:
            raise InvalidInputError(
                f"annotation.folder: the labels in '{files.folder}' are of the dataset ids {ids}, "
                f'step {step} of {protocol.name} also learns '
                f'{", ".join(experiment.names(lacking))} ({", ".join(map(str, lacking))})'
            )
        check_images(labels, files, ids, dataset)


def check_images(labels: Any, files: PseudoLabelFiles, ids: list[int], dataset: Any) -> None:
    """Refuse an image that shows one of the ids but lacks its label map, or its scores if read.

    Raises:
        MissingFileError: Naming the first such file.
    """
    shown = dataset.image_labels[dataset.indices][:, ids].any(1) | labels.all_images
    wanted = [name for name, there in zip(dataset.image_ids, shown, strict=True) if there]
    missing = [name for name in wanted if not files.label_path(name).is_file()]
    if missing:
        raise MissingFileError(
            f"annotation.folder: '{files.label_path(missing[0])}' does not exist ({len(missing)} "
            f'of {len(wanted)} images of the step lack their label map)'
        )
    files.verify(wanted)
    if labels.changes:
        missing = [name for name in wanted if not files.score_path(name).is_file()]
        if missing:
            raise MissingFileError(
                f"annotation.folder: '{files.score_path(missing[0])}' does not exist "
                f'({len(missing)} of {len(wanted)}); annotation.threshold, uncertain and gating '
                'need the scores: make the pseudo-labels with seam.inference.scores=True'
            )


def where_expected(given: Path, leaf: str) -> str:
    """Return the message for a folder of pseudo-labels that lacks ``<leaf>/meta.json``.

    Args:
        given: The folder that the user names.
        leaf: ``<protocol>/<step>``.
    """
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
