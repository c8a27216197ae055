"""What the data of a step are read by."""
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from incseg.engine.annotation import image_labels, is_weak, labels_loader
from incseg.engine.experiment import Experiment
from incseg.engine.resolve import resolve
from incseg.engine.training_set import training_set
from incseg.errors import InvalidInputError


def pipeline(transforms: Mapping[str, Any], image_scale: float, labels_follow: bool,
             labels_loader: Mapping[str, Any] | None = None) -> list[dict]:
    """Named transforms (None: left out) between loading and packing.

    Args:
        transforms: Configs by name, in order.
        image_scale: Factor on every image before anything else.
        labels_follow: Whether the labels are scaled with it (training) or
            stay at their own resolution (test).
        labels_loader: Config of the transform that loads labels, masks by default.
    """
    steps: list[dict] = [
        dict(type='LoadImage'), dict(labels_loader or dict(type='LoadLabels'))]
    if image_scale != 1:
        steps.append(dict(
            type='Resize', scale_factor=image_scale, resize_labels=labels_follow))
    steps += [dict(transform) for transform in transforms.values() if transform is not None]
    return [*steps, dict(type='PackSegInputs')]


def without_labels(steps: list[dict]) -> list[dict]:
    """A pipeline that loads no label maps."""
    return [step for step in steps if step['type'] != 'LoadLabels']


def dataset_config(
    experiment: Experiment, k: int, mode: str, previous: str | Path | None = None
) -> dict[str, Any]:
    """The data of step ``k``: ``mode`` is ``'train'`` or ``'test'``.

    A method with ``image_labels`` trains steps after the first on these alone.
    ``previous`` is the ``final.pth`` of the step before, on which the place of
    pseudo-labels may depend.
    """
    config, method = experiment.config, experiment.config['method']
    data = resolve(config['data'], config)
    if mode == 'train':
        transforms = data['train_pipeline']
    elif config['eval_mode'] in data['test_pipelines']:
        transforms = data['test_pipelines'][config['eval_mode']]
    else:
        raise InvalidInputError(
            f"eval_mode is {config['eval_mode']!r}, allowed: {sorted(data['test_pipelines'])}")
    weak = mode == 'train' and is_weak(experiment, k)
    if mode == 'train' and k > 0 and method.get('image_labels'):
        return dict(
            type='WeakDataset', dataset=training_set(experiment),
            protocol=experiment.protocol_args(), step=k, scope='step',
            image_labels=resolve(method['image_labels'], config),
            negatives=resolve(method.get('negatives'), config),
            pipeline=without_labels(pipeline(transforms, config['image_scale'], True)))
    return dict(
        type='IncrementalDataset',
        dataset=training_set(experiment) if mode == 'train' else data['test'],
        protocol=experiment.protocol_args(), step=k, mode=mode,
        pipeline=pipeline(transforms, config['image_scale'], mode == 'train',
                          labels_loader(experiment, k, previous) if weak else None),
        all_images=experiment.joint, void_as_background=data.get('void_as_background', False),
        image_labels=image_labels(experiment) if weak else None)


def loader_config(experiment: Experiment, dataset: Any, **kwargs: Any) -> dict[str, Any]:
    """A DataLoader's config; the number of workers does not change results."""
    workers = experiment.config['num_workers']
    return dict(
        dataset=dataset, num_workers=workers, persistent_workers=workers > 0,
        pin_memory=experiment.config['schedule'].get('pin_memory', True)
        and torch.cuda.is_available(), collate_fn=dict(type='incseg.collate_samples'),
        sampler=dict(type='DefaultSampler', shuffle=False, round_up=False), **kwargs)
