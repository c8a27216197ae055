"""What would stop SEAM or its labels hours later, looked at before the first step is trained."""

from pathlib import Path
from typing import Any

import numpy as np
from mmengine.model import is_model_wrapper

from incseg import __version__
from incseg.datasets import LoadImage
from incseg.datasets.negatives import OldNetworkNegatives
from incseg.datasets.steps.weak_dataset import WeakDataset
from incseg.engine.checkpoint import (
    check_finite,
    plain,
    read_checkpoint,
    save_atomically,
    weights_fingerprint,
)
from incseg.engine.hooks.start import load_backbone
from incseg.engine.recipe.experiment import Experiment, check_step
from incseg.engine.runner.step_runner import StepRunner
from incseg.engine.weak.image_batches import scaled_size
from incseg.engine.weak.old_network import OldNetwork
from incseg.engine.weak.seam_config import (
    SeamSettings,
    describe_negatives,
    from_imagenet,
    needs_old_network,
    seam_dataset_config,
    seam_model_config,
    seam_runner_config,
)
from incseg.engine.weak.seam_store import (
    FILE,
    IMAGES,
    START,
    check_content,
    images_digest,
    network_settings,
    notice_other_start,
    seam_folder,
    started_otherwise,
)
from incseg.engine.work_dir import check_run_config, write_run_config
from incseg.errors import InvalidInputError, MissingFileError
from incseg.registry import DATASETS, MODELS
from incseg.utils.distributed import on_rank_zero
from incseg.utils.locks import exclusive_folder


def train_seam(
    experiment: Experiment,
    step: int,
    work_dir: str | Path | None = None,
    resume: bool = False,
    *,
    step0: str | Path | None = None,
    previous: str | Path | None = None,
) -> Path:
    """Train SEAM on the image-level labels of a step, as the config's ``seam`` says.

    An interrupted training that is resumed ends with the weights of an
    uninterrupted one.

    Args:
        experiment: The experiment.
        step: The step; with ``seam.scope='all'`` it is the same for all.
        work_dir: A folder of its own: ``seam.pth``, logs, ``config.json``.  By
            default where :func:`train_protocol` looks for it.
        resume: Go on with an interrupted training; afresh where there is
            nothing, and nothing to do where it is finished.
        step0: Step 0's ``final.pth``, for ``seam.init_from='step0'``.
        previous: That of the step before, for ``seam.negatives`` that look
            through it.

    Returns:
        The path of ``seam.pth``, a step's checkpoint whose ``meta`` also has
        ``ids``, ``helpers``, ``scope``, ``pretrained``, ``init_from`` with
        ``init_sha``, what tells the weights there from others, ``seed``,
        ``images`` and ``negatives``; ``ids`` are the dataset ids of the maps 1..C,
        ``classes`` their names, ``helpers`` those of the ids that are there to
        tell the step's classes from.

    Raises:
        UserError: Whatever is wrong with the input.
    """
    if experiment.config.get('seam') is None:
        raise InvalidInputError("the config has no 'seam': add one of configs/_base_/seam")
    protocol = experiment.protocol
    check_step(step, protocol.num_steps, f'{experiment.method} {protocol.name}')
    if needs_old_network(experiment, step) and previous is None:
        raise InvalidInputError(
            f'seam.negatives.type is {experiment.config["seam"]["negatives"]["type"]!r}, which '
            f'looks through the network of step {step - 1}: name its final.pth with --previous'
        )
    work_dir = seam_folder(experiment, step, previous) if work_dir is None else Path(work_dir)
    with exclusive_folder(work_dir):
        return train_in(work_dir, experiment, step, resume, step0, previous)


def train_in(
    work_dir: Path,
    experiment: Experiment,
    step: int,
    resume: bool,
    step0: str | Path | None,
    previous: str | Path | None,
) -> Path:
    """As :func:`train_seam`, in a folder that no other run works in."""
    path, interrupted = work_dir / FILE, work_dir / 'resume.pth'
    scope = experiment.config['seam']['scope']
    dataset: WeakDataset = DATASETS.build(seam_dataset_config(experiment, step))
    settings = {**network_settings(experiment, step, previous), IMAGES: images_digest(dataset)}
    if resume:
        check_content(settings, work_dir)
        check_run_config(settings, work_dir, but={START})
    elif path.is_file():
        raise InvalidInputError(
            f'{path} exists already: pass --resume to use it, or another --work-dir'
        )
    if path.is_file():
        on_rank_zero(lambda: notice_other_start(path, experiment, step0))
        return path
    if previous is not None and needs_old_network(experiment, step):
        dataset.apply_old_network(OldNetwork(experiment, step, previous))
    on_rank_zero(lambda: print(describe_images(dataset, scope, step), flush=True))
    start = start_of_backbone(experiment, step0)
    started = None if start is None else weights_fingerprint(start)
    resume_from = str(interrupted) if resume and interrupted.is_file() else None
    if resume_from is not None:
        read_checkpoint(resume_from)
        if on_rank_zero(started_otherwise, started=started, work_dir=work_dir):
            resume_from = None
    on_rank_zero(lambda: write_run_config({**settings, START: started}, work_dir))
    runner = StepRunner.from_cfg(
        seam_runner_config(
            experiment,
            step,
            len(dataset),
            len(dataset.class_ids),
            str(work_dir),
            start=start,
            resume_from=resume_from,
        )
    )
    runner.use_dataset(dataset)
    meta = dict(
        incseg_version=__version__,
        method='seam',
        protocol=experiment.describe_protocol(),
        step=step,
        classes=list(dataset.metainfo['classes']),
        palette=dataset.metainfo['palette'],
        ids=list(dataset.class_ids),
        helpers=list(dataset.helper_ids),
        scope=scope,
        pretrained=from_imagenet(experiment),
        init_from=experiment.config['seam'].get('init_from'),
        init_sha=started,
        seed=experiment.seed,
        images=len(dataset),
        negatives=describe_negatives(experiment, step),
    )
    content = run(runner, meta)
    on_rank_zero(lambda: save_atomically(content, path))
    on_rank_zero(lambda: interrupted.unlink(missing_ok=True))
    return path


def run(runner: StepRunner, meta: dict[str, Any]) -> dict[str, Any]:
    """Train, and return what is saved."""
    runner.train()
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    state = plain(dict(model.state_dict()))
    runner.close()
    check_finite(state, "at the end of SEAM's training")
    return dict(state_dict=state, meta=meta)


def start_of_backbone(experiment: Experiment, step0: str | Path | None) -> str | None:
    """The step's checkpoint that the backbone starts from, if any.

    Raises:
        InvalidInputError, MissingFileError: There is to be one, but it is not
            known where, or it is not there.
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
    """The refinement can be built, its files included, and every scale leaves something of images.

    Sizes of images are not known before they are read: the first one stands for all.

    Raises:
        MissingFileError, InvalidInputError: What stands in the way.
    """
    settings = SeamSettings.of(experiment.config)
    MODELS.build(settings.refine)
    image = LoadImage().transform(dataset.dataset.get_data_info(int(dataset.indices[0])))['img']
    for scale in settings.inference['scales']:
        scaled_size(image.shape[:2], scale * experiment.config['image_scale'])


def check_start(experiment: Experiment) -> None:
    """The files that SEAM starts from are there, and a network that it starts from fits.

    Raises:
        MissingFileError: One is not there.
        InvalidInputError: The network has another backbone.
    """
    if experiment.config['seam'].get('init_from') != 'step0':  # else it is made by this training
        start = start_of_backbone(experiment, None)
        if start is not None:
            load_backbone(MODELS.build(seam_model_config(experiment, 1)).backbone, start)
    backbone = seam_model_config(experiment, 1, init=True).get('backbone') or {}
    weights = backbone.get('weights')
    if backbone.get('pretrained') and isinstance(weights, str) and not Path(weights).is_file():
        raise MissingFileError(f'seam.model.backbone.weights: no file at {weights}')


#: crops per image below which hardly anything was learned from them (docs/results)
FEW = 0.1


def describe_images(dataset: WeakDataset, scope: str, step: int) -> str:
    """What SEAM is trained on: images, classes, and where there are any, negatives.

    Args:
        dataset: the data set, which has looked through the network of the step
            before if it is to.
        scope: ``'step'`` or ``'all'``.
        step: the step; with scope ``'all'`` it is of no account.
    """
    names = dataset.metainfo['classes']
    own = names[: len(names) - len(dataset.helper_ids)]
    where = f"scope 'step', step {step}" if scope == 'step' else f'scope {scope!r}'
    count = len(dataset.indices)
    word = 'class' if len(own) == 1 else 'classes'
    text = f'SEAM, {where}: {count} images, {len(own)} {word}: {", ".join(own)}'
    shown = np.any(dataset.image_labels[:count], axis=0).tolist()
    lacking = [name for name, there in zip(own, shown) if not there]
    if lacking:
        text += f'; no image shows {", ".join(lacking)}, whose maps will mean nothing'
    if dataset.negatives is None:
        return text
    kind, further = type(dataset.negatives).__name__, len(dataset.negatives)
    if isinstance(dataset.negatives, OldNetworkNegatives):
        text += f'; negatives: {kind} found {further} crops in the {count} images'
        if further < FEW * count:
            text += ' (few: from so little the classes are hardly told apart)'
    else:
        text += f'; negatives: {further} images of {kind}'
    helpers = names[len(own) :]
    return f'{text}; helper classes: {", ".join(helpers)}' if helpers else text
