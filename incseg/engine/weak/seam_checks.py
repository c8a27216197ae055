"""Checks before SEAM is trained: of its start, of its images, and of an existing folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from incseg.datasets import LoadImage
from incseg.datasets.steps.weak_dataset import WeakDataset
from incseg.engine.checkpoint import FilePath, weights_fingerprint
from incseg.engine.hooks.start import load_backbone
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.identity import digest
from incseg.engine.weak.image_batches import scaled_size
from incseg.engine.weak.label_settings import SeamSettings
from incseg.engine.weak.seam_config import seam_model_config
from incseg.engine.weak.seam_store import read_seam_checkpoint
from incseg.engine.work_dir import as_written
from incseg.errors import InvalidInputError, MissingFileError
from incseg.evaluation.run_settings import flatten, read_settings
from incseg.registry import MODELS


def check_start(experiment: Experiment) -> None:
    """Refuse a config whose SEAM starts from files that do not exist or do not fit.

    Step 0's checkpoint is not checked, because step 0 may not be trained yet.

    Raises:
        MissingFileError: A file does not exist.
        InvalidInputError: The network to start from has another backbone.
    """
    if experiment.config['seam'].get('init_from') != 'step0':  # step 0 is not trained yet
        start = start_of_backbone(experiment, None)
        if start is not None:
            load_backbone(MODELS.build(seam_model_config(experiment, 1)).backbone, start)
    backbone = seam_model_config(experiment, 1, init=True).get('backbone') or {}
    weights = backbone.get('weights')
    if backbone.get('pretrained') and isinstance(weights, str) and not Path(weights).is_file():
        raise MissingFileError(f'seam.model.backbone.weights: no file at {weights}')


def start_of_backbone(experiment: Experiment, step0: FilePath | None) -> str | None:
    """Return the checkpoint that SEAM's backbone starts from; None without ``seam.init_from``.

    Args:
        experiment: The steps, classes and method of a config.
        step0: Step 0's ``final.pth``, for ``seam.init_from='step0'``.

    Raises:
        InvalidInputError: ``init_from`` is ``'step0'``, and ``step0`` is None.
        MissingFileError: The checkpoint does not exist.
    """
    init_from = experiment.config['seam'].get('init_from')
    if init_from is None:
        return None
    if init_from == 'step0' and step0 is None:
        raise InvalidInputError(
            "seam.init_from is 'step0', but no step 0 was trained before: "
            'name its final.pth with --step0'
        )
    path = Path(step0 if init_from == 'step0' and step0 is not None else init_from)
    if not path.is_file():
        raise MissingFileError(f'seam.init_from: no checkpoint at {path}')
    return str(path)


def check_labelling(experiment: Experiment, dataset: WeakDataset) -> None:
    """Refuse a refinement that cannot be built, and scales at which an image has no pixel left.

    The sizes of images are unknown before they are read: only the first image is checked.

    Args:
        experiment: The steps, classes and method of a config.
        dataset: The images of the step.

    Raises:
        MissingFileError, InvalidInputError: Naming the file, key or scale.
    """
    settings = SeamSettings.of(experiment.config)
    MODELS.build(settings.refine)
    image = LoadImage().transform(dataset.dataset.get_data_info(int(dataset.indices[0])))['img']
    for scale in settings.inference['scales']:
        scaled_size(image.shape[:2], scale * experiment.config['image_scale'])


#: key of :func:`images_fingerprint` in the config of a folder of SEAM
IMAGES = 'training images'
#: key of the fingerprint of the weights that the backbone started from
START = 'start'
#: keys whose values change with files while the config stays the same
CONTENT = (IMAGES, 'files', 'negatives')


def images_fingerprint(dataset: WeakDataset) -> str:
    """Return a hash of the images of a SEAM training.

    It covers the ids of all images of the data set, and the sizes of the files and the
    image-level labels of the images that are trained on.
    """
    files = [
        (name, size) for name, size, _ in dataset.dataset.file_states(dataset.indices.tolist())
    ]
    return digest([dataset.dataset.image_ids, files, dataset.image_labels.tolist()])


def check_content(settings: Mapping[str, Any], work_dir: Path) -> None:
    """Refuse a folder of the same config if only the content of files has changed.

    Args:
        settings: The settings of the training, as written to the folder's config.
        work_dir: The folder.

    Raises:
        InvalidInputError: Naming the folder and the changed settings.
    """
    before, now = read_settings(work_dir), dict(flatten(as_written(settings)))
    changed = {
        key.partition('.')[0]
        for key in {*(before or {}), *now} - {START}
        if before is not None and before.get(key) != now.get(key)
    }
    if changed and changed <= set(CONTENT):
        raise InvalidInputError(
            f'{work_dir}: SEAM was trained there on other {", ".join(sorted(changed))} than the '
            'current ones; remove that folder to train it anew, or name another one '
            "(incseg train: the config's seam_dir, incseg seam: --work-dir)"
        )


def started_from_other_weights(start: str | None, work_dir: Path) -> bool:
    """Return whether an interrupted training started from other weights, and print a note if so.

    Args:
        start: Fingerprint of the weights that SEAM starts from now.
        work_dir: The folder of the interrupted training.
    """
    before = (read_settings(work_dir) or {}).get(START)
    if before is None or before == start:
        return False
    print(
        f'note: the interrupted training of SEAM in {work_dir} started from other weights than '
        'the current ones of seam.init_from; it begins anew',
        flush=True,
    )
    return True


def notice_other_start(path: Path, experiment: Experiment, step0: FilePath | None) -> None:
    """Print a note if a finished SEAM started from other weights than those of step 0.

    The network is used nevertheless: experiments share it, and weights of a step 0
    that was trained again may differ in the last digits.

    Args:
        path: The ``seam.pth``.
        experiment: The steps, classes and method of a config.
        step0: Step 0's ``final.pth``.
    """
    if step0 is None or experiment.config['seam'].get('init_from') != 'step0':
        return
    start = read_seam_checkpoint(path)['meta'].get('init_sha')
    if start is not None and start != weights_fingerprint(step0):
        print(
            f'note: {path} is used unchanged; its backbone started from other weights than '
            f'those in {step0}',
            flush=True,
        )
