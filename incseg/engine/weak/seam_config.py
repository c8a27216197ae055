"""SEAM's training as configs: its network, its images with their negatives, its Runner."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import get_world_size

from incseg.datasets import StepBatchSampler
from incseg.datasets.negatives import OldNetworkNegatives
from incseg.engine.checkpoint import weights_fingerprint as weights_fingerprint  # as in 0.1
from incseg.engine.labels import masks_needed
from incseg.engine.recipe.data import loader_config, training_images
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.identity import digest
from incseg.engine.recipe.names import resolve
from incseg.engine.recipe.step import (
    POLY,
    optimizer_config,
    runner_config,
    schedule_config,
    training_hooks,
)
from incseg.registry import DATASETS, part_of
from incseg.utils.precision import autocasts
from incseg.utils.rules import expected


def from_imagenet(experiment: Experiment) -> bool:
    """Return whether SEAM's backbone starts from ImageNet: ``pretrained``, and no ``init_from``."""
    config = experiment.config
    return bool(config['pretrained']) and config['seam'].get('init_from') is None


def seam_model_config(
    experiment: Experiment, num_classes: int, init: bool = False
) -> dict[str, Any]:
    """Return the config of the :class:`SEAM` network.

    A backbone that starts without ImageNet weights is trained whole, unless
    ``seam.model.frozen`` is set.

    Args:
        experiment: The steps, classes and method of a config.
        num_classes: Number of classes C, without the background.
        init: Whether ImageNet weights may be loaded.
    """
    imagenet = from_imagenet(experiment)
    pretrained = experiment.config['pretrained'] if imagenet and init else False
    settings = {**experiment.raw_config, 'pretrained': pretrained}
    model = resolve(settings['seam'], settings)['model']
    return {'frozen': imagenet, **model, 'num_classes': num_classes}


def seam_pipeline(transforms: Mapping[str, Any], image_scale: float) -> list[dict]:
    """Return the config of SEAM's pipeline: load the image, the named transforms, pack.

    Args:
        transforms: Configs by name, in order; None leaves one out.
        image_scale: Factor on every image's size before the transforms.
    """
    steps: list[dict] = [dict(type='LoadImage')]
    if image_scale != 1:
        steps.append(dict(type='Resize', scale_factor=image_scale))
    steps += [dict(transform) for transform in transforms.values() if transform is not None]
    return [*steps, dict(type='PackSegInputs')]


def seam_image_labels(experiment: Experiment) -> dict[str, Any]:
    """Return the config ``seam.image_labels``, where image-level labels come from.

    Args:
        experiment: The steps, classes and method of a config; without the setting the labels
            are made from masks (``MaskImageLabels``).
    """
    seam = experiment.config.get('seam') or {}
    source: dict[str, Any] = seam.get('image_labels') or dict(type='MaskImageLabels')
    return source


def weak_training_set(experiment: Experiment) -> dict[str, Any]:
    """Return the config of the training images, of which only image-level labels are read.

    Images may lack their mask unless the labels come from masks.
    """
    return training_images(experiment, 0, not masks_needed(seam_image_labels(experiment)))


def seam_dataset_config(experiment: Experiment, step: int) -> dict[str, Any]:
    """Return the config of the :class:`WeakDataset` on which SEAM of a step is trained.

    Args:
        experiment: The steps, classes and method of a config.
        step: The step, from 0.
    """
    config, seam = experiment.config, experiment.config['seam']
    return dict(
        type='WeakDataset',
        dataset=weak_training_set(experiment),
        protocol=experiment.protocol,
        step=step,
        scope=seam['scope'],
        negatives=negatives_config(experiment, step),
        image_labels=seam.get('image_labels'),
        pipeline=seam_pipeline(seam['train_pipeline'], config['image_scale']),
    )


def seam_runner_config(
    experiment: Experiment,
    step: int,
    num_images: int,
    num_classes: int,
    work_dir: str,
    *,
    start: str | None = None,
    resume_from: str | None = None,
) -> Config:
    """Return the config of the Runner that trains SEAM.

    Args:
        experiment: The steps, classes and method of a config.
        step: The step, for messages.
        num_images: Number of training images.
        num_classes: Number of classes C, without the background.
        work_dir: Folder of the training.
        start: A step's ``final.pth`` that the backbone starts from; None for none.
        resume_from: A checkpoint from which this training is resumed; None starts anew.

    Raises:
        InvalidInputError: The batch size is no multiple of the number of processes.
    """
    schedule = experiment.config['seam']['schedule']
    batch, world = schedule['batch_size'], get_world_size()
    if batch % world:
        raise expected('seam.schedule.batch_size', batch, f'a multiple of the {world} processes')
    iters = schedule['epochs'] * StepBatchSampler.iters_per_epoch(num_images, batch)
    hooks: list[dict] = [dict(type='IterationSeedHook', seed=experiment.seed)]
    if start is not None:
        hooks.append(dict(type='StartBackboneHook', checkpoint=start))
    momentum = schedule['momentum']['pretrained' if from_imagenet(experiment) else 'scratch']
    optimizer = dict(type='SGD', momentum=momentum, weight_decay=schedule['weight_decay'])
    return runner_config(
        experiment,
        work_dir,
        'seam',
        model=seam_model_config(experiment, num_classes, init=resume_from is None),
        train_dataloader=loader_config(
            experiment,
            dict(type='WeakDataset'),
            batch_size=batch // world,
            batch_sampler=dict(
                type='StepBatchSampler',
                total_batch_size=batch,
                num_iters=iters,
                seed=experiment.seed,
            ),
        ),
        train_cfg=dict(type='StepTrainLoop', max_iters=iters),
        optim_wrapper=dict(
            type='StepOptimWrapper',
            amp=autocasts(schedule['amp'], torch.device(get_device())),
            optimizer=optimizer_config(optimizer, schedule['lr']),
            constructor='FineTuneOptimConstructor',
            paramwise_cfg=dict(head_factor=schedule['head_factor']),
        ),
        param_scheduler=[
            schedule_config(
                schedule.get('lr_schedule') or POLY, iters, power=schedule['poly_power']
            )
        ],
        default_hooks=training_hooks(schedule, step, work_dir),
        custom_hooks=hooks,
        load_from=resume_from,
        resume=resume_from is not None,
    )


def is_old_network_negatives(negatives: Any) -> bool:
    """Return whether negatives need the network of the previous step.

    Args:
        negatives: Config of the negative images, from :func:`negatives_config`, or None.
    """
    kind = (negatives or {}).get('type')
    registered = part_of(kind, DATASETS)
    return isinstance(registered, type) and issubclass(registered, OldNetworkNegatives)


def negatives_config(experiment: Experiment, step: int) -> dict[str, Any] | None:
    """Return the config of the negative images of a step (``seam.negatives``), if it has some.

    Args:
        experiment: The experiment.
        step: The step, from 0.

    Returns:
        The config of the part, not built; None if the experiment has no negatives, or if step 0
        would need the network of a previous step for them.
    """
    seam = experiment.config.get('seam') or {}
    negatives = seam.get('negatives')
    return None if step == 0 and is_old_network_negatives(negatives) else negatives


def describe_negatives(experiment: Experiment, step: int) -> dict[str, Any] | None:
    """Return the config of a step's negatives as files record it: of paths only the last part.

    Args:
        experiment: The experiment.
        step: The step, from 0.

    Returns:
        Type and options; None if the step has no negatives.
    """
    negatives = negatives_config(experiment, step)
    return None if negatives is None else basenames_only(negatives)


def basenames_only(value: Any) -> Any:
    """Return plain data with only the last part of each path, so that it is equal on every machine.

    Args:
        value: Nested dicts and lists.  Every string counts as a path; a class becomes its name.
    """
    if isinstance(value, Mapping):
        return {key: basenames_only(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [basenames_only(item) for item in value]
    if isinstance(value, str | Path):
        return Path(value).name
    return value.__name__ if isinstance(value, type) else value


def needs_old_network(experiment: Experiment, step: int) -> bool:
    """Return whether a step's negative images need the network of the previous step."""
    return is_old_network_negatives(negatives_config(experiment, step))


def negatives_fingerprint(experiment: Experiment, step: int) -> str | None:
    """Return a hash of the names, sizes and modification times of the negatives' files.

    Args:
        experiment: The steps, classes and method of a config.
        step: The step, from 0.

    Returns:
        The hash; None if the step has no negatives, or predictions of the previous step's
        network in place of files.

    Raises:
        MissingFileError: The files do not exist.
    """
    negatives = negatives_config(experiment, step)
    if negatives is None or is_old_network_negatives(negatives):
        return None
    states = getattr(DATASETS.build(dict(negatives)), 'file_states', None)
    return None if states is None else digest(states())
