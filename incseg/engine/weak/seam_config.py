"""What the Runner of SEAM's training is built from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import get_world_size

from incseg.datasets import BackgroundRule, StepBatchSampler
from incseg.datasets.negatives import OldNetworkNegatives
from incseg.engine.labels import masks_needed
from incseg.engine.recipe.data import loader_config, training_images
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.identity import digest
from incseg.engine.recipe.names import resolve
from incseg.engine.recipe.step import optimizer_config, runner_config, training_hooks
from incseg.engine.runner.schedules import POLY, schedule_config
from incseg.engine.weak import cam_inference
from incseg.errors import InvalidInputError
from incseg.registry import DATASETS
from incseg.utils.precision import autocasts
from incseg.utils.rules import SHARE, SWITCH, Rule, check_values, or_none, whole


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
    settings = {**experiment.raw_config, 'pretrained': imagenet and init}
    model = resolve(settings['seam'], settings)['model']
    return {'frozen': imagenet, **model, 'num_classes': num_classes}


def seam_pipeline(transforms: Mapping[str, Any], image_scale: float) -> list[dict]:
    """Named transforms (None: left out) between loading and packing, without labels."""
    steps: list[dict] = [dict(type='LoadImage')]
    if image_scale != 1:
        steps.append(dict(type='Resize', scale_factor=image_scale))
    steps += [dict(transform) for transform in transforms.values() if transform is not None]
    return [*steps, dict(type='PackSegInputs')]


def seam_image_labels(experiment: Experiment) -> dict[str, Any]:
    """Return the config of the source of image-level labels, masks by default."""
    seam = experiment.config.get('seam') or {}
    source: dict[str, Any] = seam.get('image_labels') or dict(type='MaskImageLabels')
    return source


def weak_training_set(experiment: Experiment) -> dict[str, Any]:
    """Return the config of the training images where only image-level labels are read."""
    return training_images(experiment, not masks_needed(seam_image_labels(experiment)))


def seam_dataset_config(experiment: Experiment, step: int) -> dict[str, Any]:
    """The images and their labels at a step."""
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
            f'seam.schedule.batch_size is {batch}, which {world} processes cannot share equally'
        )
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
            constructor='FineTuneOptim',
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
    """Whether a config of negatives is of a part that needs the network of the step before."""
    kind = (negatives or {}).get('type')
    found = DATASETS.get(kind) if isinstance(kind, str) else kind
    return isinstance(found, type) and issubclass(found, OldNetworkNegatives)


def negatives_config(experiment: Experiment, step: int) -> dict[str, Any] | None:
    """``seam.negatives`` at a step: without a step before, none that needs its network."""
    seam = experiment.config.get('seam') or {}
    negatives = seam.get('negatives')
    return None if step == 0 and is_old_network_negatives(negatives) else negatives


def describe_negatives(experiment: Experiment, step: int) -> dict[str, Any] | None:
    """``seam.negatives`` at a step as files say it: type and options, of a path the last part."""
    negatives = negatives_config(experiment, step)
    return None if negatives is None else without_places(negatives)


def without_places(value: Any) -> Any:
    """Plain data with the last part of each path, the same on every machine."""
    if isinstance(value, Mapping):
        return {key: without_places(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_places(item) for item in value]
    if isinstance(value, str | Path):
        return Path(value).name
    return value.__name__ if isinstance(value, type) else value


def needs_old_network(experiment: Experiment, step: int) -> bool:
    """Whether SEAM of a step learns from what the network of the step before finds."""
    return is_old_network_negatives(negatives_config(experiment, step))


def negatives_digest(experiment: Experiment, step: int) -> str | None:
    """What tells the images of ``seam.negatives`` from others: their files' names, sizes and times.

    None where these are no files: without negatives, and where they are found
    through the network of the step before.

    Raises:
        MissingFileError: The files are not there.
    """
    negatives = negatives_config(experiment, step)
    if negatives is None or is_old_network_negatives(negatives):
        return None
    states = getattr(DATASETS.build(dict(negatives)), 'file_states', None)
    return None if states is None else digest(states())


#: what ``seam.inference`` may have, and what it is where it is left out
INFERENCE: dict[str, Any] = dict(
    scales=(0.5, 1.0, 1.5, 2.0),
    flip=True,
    maps='refined',
    background=dict(mode='const', value=0.26),
    uncertain=None,
    scores=True,
    score_stride=1,
    batch_size=None,
    num_threads=2,
)
#: what is allowed there; :class:`BackgroundRule` itself knows of ``background``
RULES: dict[str, Rule] = dict(
    **cam_inference.RULES,
    uncertain=or_none(SHARE),
    scores=SWITCH,
    score_stride=whole(1),
    batch_size=or_none(whole(1)),
    num_threads=whole(1),
)
#: what ``seam`` may have beside ``model`` and what only its training reads
SEAM: dict[str, Any] = dict(
    image_labels=dict(type='MaskImageLabels'), refine=dict(type='NoRefinement'), inference={}
)


@dataclass
class SeamSettings:
    """The part of ``seam`` in a config that pseudo-labels are made by, defaults filled in."""

    model: dict[str, Any]
    image_labels: dict[str, Any]
    refine: dict[str, Any]
    inference: dict[str, Any]

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> 'SeamSettings':
        """Read a config's ``seam``.

        Raises:
            InvalidInputError: it is missing, has a key that is not known, or a
                value that is not allowed.
        """
        if 'model' not in (config.get('seam') or {}):
            raise InvalidInputError(
                "the config has no 'seam.model': pseudo-labels are made by the network that a "
                'weak experiment describes there'
            )
        seam = resolve(config['seam'], config)
        chosen = {
            key: default if seam.get(key) is None else seam[key] for key, default in SEAM.items()
        }
        check_inference(chosen['inference'])
        chosen['inference'] = {**INFERENCE, **chosen['inference']}
        return cls(model=seam['model'], **chosen)


def check_inference(options: Any) -> None:
    """Refuse, with InvalidInputError, what ``seam.inference`` may not be."""
    where = 'seam.inference'
    if not isinstance(options, Mapping):
        raise InvalidInputError(f'{where} is {options!r}, expected a dict')
    for key in options:
        if key not in INFERENCE:
            raise InvalidInputError(f"unknown key '{where}.{key}'; allowed: {sorted(INFERENCE)}")
    check_values(where, options, RULES)
    if 'background' in options:
        rule = BackgroundRule.of(options['background'], f'{where}.background')
        if rule.mode == 'score':
            raise InvalidInputError(
                f"{where}.background.mode is 'score', which is for maps that have one of the "
                "background, expected 'const' or 'pow'"
            )
