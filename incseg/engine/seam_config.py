"""What the Runner of SEAM's training is built from."""
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import get_world_size

from incseg.datasets import StepBatchSampler
from incseg.engine.bfloat16 import autocasts
from incseg.engine.data_config import loader_config
from incseg.engine.experiment import Experiment
from incseg.engine.resolve import resolve
from incseg.engine.runner_parts import optimizer_config, runner_config, training_hooks
from incseg.engine.seam_negatives import negatives_config
from incseg.engine.training_set import weak_training_set
from incseg.errors import InvalidInputError


def from_imagenet(experiment: Experiment) -> bool:
    """Whether SEAM's backbone starts from ImageNet: ``pretrained``, and no ``init_from``."""
    config = experiment.config
    return bool(config['pretrained']) and config['seam'].get('init_from') is None


def seam_model_config(
    experiment: Experiment, num_classes: int, init: bool = False
) -> dict[str, Any]:
    """The network for so many foreground classes.

    Without ImageNet weights nothing is frozen, unless ``seam.model.frozen``
    says otherwise.

    Args:
        experiment: The experiment.
        num_classes: C, without the background.
        init: Whether ImageNet weights may be loaded.
    """
    imagenet = from_imagenet(experiment)
    settings = {**experiment.config, 'pretrained': imagenet and init}
    model = resolve(experiment.config['seam']['model'], settings)
    return {'frozen': imagenet, **model, 'num_classes': num_classes}


def seam_pipeline(transforms: Mapping[str, Any], image_scale: float) -> list[dict]:
    """Named transforms (None: left out) between loading and packing, without labels."""
    steps: list[dict] = [dict(type='LoadImage')]
    if image_scale != 1:
        steps.append(dict(type='Resize', scale_factor=image_scale))
    steps += [dict(transform) for transform in transforms.values() if transform is not None]
    return [*steps, dict(type='PackSegInputs')]


def seam_dataset_config(experiment: Experiment, step: int) -> dict[str, Any]:
    """The images and their labels at a step."""
    config = experiment.config
    seam = resolve(config['seam'], config)
    return dict(
        type='WeakDataset', dataset=weak_training_set(experiment),
        protocol=experiment.protocol, step=step, scope=seam['scope'],
        negatives=negatives_config(experiment, step), image_labels=seam.get('image_labels'),
        pipeline=seam_pipeline(seam['train_pipeline'], config['image_scale']))


def seam_runner_config(
    experiment: Experiment, step: int, num_images: int, num_classes: int, work_dir: str, *,
    start: str | None = None, resume_from: str | None = None,
) -> Config:
    """The config of the Runner that trains SEAM.

    Args:
        experiment: The experiment.
        step: The step, for messages.
        num_images: How many images it is trained on.
        num_classes: C, without the background.
        work_dir: Its folder.
        start: A step's ``final.pth`` that the backbone starts from.
        resume_from: A checkpoint of this training to go on from.
    """
    schedule = experiment.config['seam']['schedule']
    batch, world = schedule['batch_size'], get_world_size()
    if batch % world:
        raise InvalidInputError(
            f'seam.schedule.batch_size is {batch}, which {world} processes cannot share equally')
    iters = schedule['epochs'] * StepBatchSampler.iters_per_epoch(num_images, batch)
    hooks: list[dict] = [dict(type='IterationSeedHook', seed=experiment.seed)]
    if start is not None:
        hooks.append(dict(type='StartBackboneHook', checkpoint=start))
    momentum = schedule['momentum']['pretrained' if from_imagenet(experiment) else 'scratch']
    optimizer = dict(type='SGD', momentum=momentum, weight_decay=schedule['weight_decay'])
    return runner_config(
        experiment, work_dir, 'seam',
        model=seam_model_config(experiment, num_classes, init=resume_from is None),
        train_dataloader=loader_config(
            experiment, dict(type='WeakDataset'), batch_size=batch // world,
            batch_sampler=dict(
                type='StepBatchSampler', total_batch_size=batch, num_iters=iters,
                seed=experiment.seed)),
        train_cfg=dict(type='StepTrainLoop', max_iters=iters),
        optim_wrapper=dict(
            type='StepOptimWrapper', amp=autocasts(schedule['amp'], torch.device(get_device())),
            optimizer=optimizer_config(optimizer, schedule['lr']), constructor='FineTuneOptim',
            paramwise_cfg=dict(head_factor=schedule['head_factor'])),
        param_scheduler=[dict(
            type='PolyLR', power=schedule['poly_power'], eta_min=0., begin=0, end=iters + 1,
            by_epoch=False)],
        default_hooks=training_hooks(schedule, step, work_dir),
        custom_hooks=hooks, load_from=resume_from, resume=resume_from is not None)
