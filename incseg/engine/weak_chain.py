"""From image-level labels to what a step reads: SEAM is trained, its labels are written."""
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process

from incseg.engine.annotation import is_weak, label_files, label_parts
from incseg.engine.annotation_folder import check_label_folder
from incseg.engine.experiment import Experiment
from incseg.engine.pseudo_label_job import pseudo_label_job
from incseg.engine.seam_config import seam_dataset_config
from incseg.engine.seam_negatives import without_places
from incseg.engine.seam_preflight import check_labelling, check_start
from incseg.engine.seam_store import labels_root, seam_folder
from incseg.engine.seam_training import train_seam
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
            experiment, step, folder, resume=True, step0=step0, previous=previous)
        pseudo_label_job(
            experiment, checkpoint, labels_root(experiment, step, previous, protocol), step=step,
            protocol=protocol, resume=True)


def check_labels(experiment: Experiment, k: int, dataset: Any) -> None:
    """Refuse what would stop step ``k`` before its training, as far as it is known beforehand.

    That are labels and files which the config names but which are not there,
    classes that SEAM could not learn from the images of its step, and scales at
    which nothing is left of an image.

    Args:
        experiment: The experiment.
        k: The step.
        dataset: Its images, see :func:`incseg.engine.step_dataset.step_dataset`.

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
            dict(seam_dataset_config(experiment, step), dataset=dataset.dataset))
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
    keys = ('scope', 'negatives', 'pretrained', 'init_from', 'refine', 'bg', 'ckpt_sha',
            'image_label_source', 'image_labels_sha')
    annotation = experiment.config['annotation']
    given = {key: annotation[key] for key in ('threshold', 'uncertain', 'gating')
             if annotation[key] is not None and annotation[key] is not False}
    read_with = dict(annotation=given) if given else {}
    made_by = [{**{key: without_places(value) for key, value in files.read_meta().items()
                   if key in keys},
                **read_with} for files in label_files(experiment, k, previous)]
    return dict(pseudo_labels=made_by)


def say(text: str) -> None:
    if is_main_process():
        print(text, flush=True)
