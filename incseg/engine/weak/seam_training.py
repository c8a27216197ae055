"""Training of SEAM on the image-level labels of a step."""

from pathlib import Path
from typing import Any

import numpy as np
from mmengine.model import is_model_wrapper

from incseg import __version__
from incseg.datasets.negatives import OldNetworkNegatives
from incseg.datasets.steps.weak_dataset import WeakDataset
from incseg.engine.checkpoint import (
    FilePath,
    check_finite,
    plain,
    read_resume_checkpoint,
    save_checkpoint,
    weights_fingerprint,
)
from incseg.engine.recipe.experiment import Experiment, check_step
from incseg.engine.runner.step_runner import StepRunner
from incseg.engine.weak.old_network import OldNetwork
from incseg.engine.weak.seam_checks import (
    IMAGES,
    START,
    check_content,
    images_fingerprint,
    notice_other_start,
    start_of_backbone,
    started_from_other_weights,
)
from incseg.engine.weak.seam_config import (
    describe_negatives,
    from_imagenet,
    needs_old_network,
    seam_dataset_config,
    seam_runner_config,
)
from incseg.engine.weak.seam_store import FILE, network_settings, seam_folder
from incseg.engine.work_dir import check_run_config, write_run_config
from incseg.errors import InvalidInputError
from incseg.registry import DATASETS
from incseg.utils.distributed import on_rank_zero
from incseg.utils.locks import exclusive_folder


def train_seam(
    experiment: Experiment,
    step: int,
    work_dir: str | Path | None = None,
    resume: bool = False,
    *,
    step0: FilePath | None = None,
    previous: FilePath | None = None,
    old_network: OldNetwork | None = None,
) -> Path:
    """Train SEAM on the image-level labels of a step, as described by the config's ``seam``.

    A resumed training ends with the weights of an uninterrupted one, bit for bit.

    Args:
        experiment: The steps, classes and method of a config.
        step: The step; with ``seam.scope='all'`` all steps share one network.
        work_dir: The folder of ``seam.pth``, logs and ``config.json``; by default
            :func:`~incseg.engine.weak.seam_store.seam_folder`, where
            :func:`train_protocol` finds the network.
        resume: Whether to resume an interrupted training and to use a finished one;
            in an empty folder the training starts.
        step0: Step 0's ``final.pth``, for ``seam.init_from='step0'``.
        previous: ``final.pth`` of the previous step, for ``seam.negatives`` that use it.
        old_network: What finds old classes in the images; None for ``previous`` as a network of
            the experiment.

    Returns:
        The path of ``seam.pth``, a step's checkpoint with more keys in ``meta``:

        - ``ids``, ``classes``: dataset ids of the maps 1..C, and their names;
        - ``helpers``: the ids of old classes, which only serve the training;
        - ``scope``, ``seed``, ``pretrained``, ``images`` (their number), ``negatives``;
        - ``init_from``: None, ``'step0'`` or a path; ``init_sha``: the fingerprint of
          the weights that the backbone started from.

    Raises:
        UserError: The config, a file or the folder is not acceptable.
    """
    if experiment.config.get('seam') is None:
        raise InvalidInputError("the config has no 'seam': add one of configs/_base_/seam")
    protocol = experiment.protocol
    check_step(step, protocol.num_steps, f'{experiment.method} {protocol.name}')
    if needs_old_network(experiment, step) and previous is None:
        raise InvalidInputError(
            f'seam.negatives.type is {experiment.config["seam"]["negatives"]["type"]!r}, which '
            f'uses the network of step {step - 1}: name its final.pth with --previous'
        )
    work_dir = seam_folder(experiment, step, previous) if work_dir is None else Path(work_dir)
    with exclusive_folder(work_dir):
        return train_in(work_dir, experiment, step, resume, step0, previous, old_network)


def train_in(
    work_dir: Path,
    experiment: Experiment,
    step: int,
    resume: bool,
    step0: FilePath | None,
    previous: FilePath | None,
    old_network: OldNetwork | None = None,
) -> Path:
    """Do the work of :func:`train_seam` in a folder that no other run uses.

    The arguments and the result are those of :func:`train_seam`.
    """
    path, interrupted = work_dir / FILE, work_dir / 'resume.pth'
    scope = experiment.config['seam']['scope']
    dataset: WeakDataset = DATASETS.build(seam_dataset_config(experiment, step))
    on_rank_zero(dataset.dataset.check_files)
    settings = {**network_settings(experiment, step, previous), IMAGES: images_fingerprint(dataset)}
    if resume:
        check_content(settings, work_dir)
        check_run_config(settings, work_dir, ignored={START})
    elif path.is_file():
        raise InvalidInputError(
            f'{path} exists already: pass --resume to use it, or another --work-dir'
        )
    if path.is_file():
        on_rank_zero(lambda: notice_other_start(path, experiment, step0))
        return path
    if previous is not None and needs_old_network(experiment, step):
        dataset.apply_old_network(old_network or OldNetwork(experiment, step, previous))
    on_rank_zero(lambda: print(describe_images(dataset, scope, step), flush=True))
    start = start_of_backbone(experiment, step0)
    start_fingerprint = None if start is None else weights_fingerprint(start)
    resume_from = str(interrupted) if resume and interrupted.is_file() else None
    if resume_from is not None:
        read_resume_checkpoint(resume_from)
        if on_rank_zero(started_from_other_weights, start=start_fingerprint, work_dir=work_dir):
            resume_from = None
    on_rank_zero(lambda: write_run_config({**settings, START: start_fingerprint}, work_dir))
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
        init_sha=start_fingerprint,
        seed=experiment.seed,
        images=len(dataset),
        negatives=describe_negatives(experiment, step),
    )
    content = run(runner, meta)
    on_rank_zero(lambda: save_checkpoint(content, path, 'seam'))
    on_rank_zero(lambda: interrupted.unlink(missing_ok=True))
    return path


def run(runner: StepRunner, meta: dict[str, Any]) -> dict[str, Any]:
    """Train SEAM to the end, close the Runner, and return what its checkpoint will hold.

    Args:
        runner: The Runner of the training, not started yet.
        meta: The ``meta`` of the checkpoint; it is returned as it is.

    Returns:
        ``{state_dict, meta}``; nothing is written.

    Raises:
        NonFiniteLossError: After the training a parameter of the network is NaN or infinite.
    """
    runner.train()
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    state = plain(dict(model.state_dict()))
    runner.close()
    check_finite(state, "at the end of SEAM's training")
    return dict(state_dict=state, meta=meta)


#: crops per image below which SEAM hardly learned anything from them (docs/results)
FEW = 0.1


def describe_images(dataset: WeakDataset, scope: str, step: int) -> str:
    """Return the line that describes SEAM's training images, classes and negatives.

    Args:
        dataset: The images, complete with negatives.
        scope: ``'step'`` or ``'all'``.
        step: The step; ignored with scope ``'all'``.
    """
    names = dataset.metainfo['classes']
    own = names[: len(names) - len(dataset.helper_ids)]
    where = f"scope 'step', step {step}" if scope == 'step' else f'scope {scope!r}'
    count = len(dataset.indices)
    word = 'class' if len(own) == 1 else 'classes'
    text = f'SEAM, {where}: {count} images, {len(own)} {word}: {", ".join(own)}'
    present = np.any(dataset.image_labels[:count], axis=0).tolist()
    lacking = [name for name, in_images in zip(own, present) if not in_images]
    if lacking:
        text += f'; no image shows {", ".join(lacking)}, whose maps will mean nothing'
    if dataset.negatives is None:
        return text
    kind, further = type(dataset.negatives).__name__, len(dataset.negatives)
    if isinstance(dataset.negatives, OldNetworkNegatives):
        text += f'; negatives: {kind} found {further} crops in the {count} images'
        if further < FEW * count:
            text += ' (few: the network will hardly learn to distinguish the classes)'
    else:
        text += f'; negatives: {further} images of {kind}'
    helpers = names[len(own) :]
    return f'{text}; helper classes: {", ".join(helpers)}' if helpers else text
