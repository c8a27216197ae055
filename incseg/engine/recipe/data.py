"""The data sets, pipelines and loaders of a step, as configs."""

from collections.abc import Mapping
from typing import Any

import torch

from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.names import resolve
from incseg.utils.pictures.rule import PictureRule
from incseg.utils.rules import any_of, expected

#: config of the transform that loads masks
LOAD_MASKS = dict(type='LoadLabels')


def pipeline(
    transforms: Mapping[str, Any],
    image_scale: float,
    labels_follow: bool,
    labels_loader: Mapping[str, Any] | None = LOAD_MASKS,
) -> list[dict]:
    """Return the config of a pipeline: load image and labels, the named transforms, pack.

    Args:
        transforms: Configs by name, in order; None leaves one out.
        image_scale: Factor on every image before anything else.
        labels_follow: Whether the labels are scaled with it (training) or
            stay at their own resolution (test).
        labels_loader: Config of the transform that loads labels; None for no labels.
    """
    steps: list[dict] = [dict(type='LoadImage')]
    if labels_loader is not None:
        steps.append(dict(labels_loader))
    if image_scale != 1:
        steps.append(dict(type='Resize', scale_factor=image_scale, resize_labels=labels_follow))
    steps += [dict(transform) for transform in transforms.values() if transform is not None]
    return [*steps, dict(type='PackSegInputs')]


def picture_rule(config: Mapping[str, Any]) -> PictureRule:
    """Return the rule by which pictures are read for a network of a config: its test set's.

    Args:
        config: A complete config; ``data.test`` may have ``exif`` and ``value_range``.
    """
    test = resolve(config['data'].get('test') or {}, config)
    return PictureRule(test.get('exif', 'apply'), test.get('value_range'))


def without_labels(steps: list[dict]) -> list[dict]:
    """Return the config of a pipeline without :class:`LoadLabels`, the transform that loads masks.

    Args:
        steps: Configs of transforms, in order; the list is not changed.
    """
    return [step for step in steps if step['type'] != 'LoadLabels']


def dataset_config(
    experiment: Experiment,
    k: int,
    mode: str,
    *,
    loader: Mapping[str, Any] | None = LOAD_MASKS,
    image_labels: Mapping[str, Any] | None = None,
    source: Mapping[str, Any] | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the config of the :class:`IncrementalDataset` of step ``k``.

    Args:
        experiment: The steps, classes and method of a config.
        k: Number of the step, from 0.
        mode: ``'train'`` or ``'test'``.
        loader: Config of the transform that loads label maps; None for no label maps.
        image_labels: Config of the source of image-level labels by which the images are chosen;
            None to choose them by their masks.
        source: Config of the whole data set; None for that of the step and the mode.
        arguments: ``dataset``, ``protocol`` and maybe ``metainfo`` of the result; None for those
            of the step.

    Raises:
        InvalidInputError: The config has no test pipeline of the name ``eval_mode``.
    """
    config = experiment.config
    data = config['data']
    if mode == 'train':
        transforms = data['train_pipeline']
    elif config['eval_mode'] in data['test_pipelines']:
        transforms = data['test_pipelines'][config['eval_mode']]
    else:
        raise expected('eval_mode', config['eval_mode'], any_of(data['test_pipelines']))
    if arguments is None:
        images = experiment.sources.data(k, mode) if source is None else dict(source)
        arguments = dict(dataset=images, **experiment.sources.labelling(k))
    return dict(
        type='IncrementalDataset',
        **arguments,
        step=k,
        mode=mode,
        pipeline=pipeline(transforms, config['image_scale'], mode == 'train', loader),
        all_images=experiment.joint,
        void_as_background=data.get('void_as_background', False),
        image_labels=None if image_labels is None else dict(image_labels),
        **({} if data.get('future') is None else {'future': data['future']}),
    )


def test_config(experiment: Experiment, k: int) -> dict[str, Any]:
    """Return the config of all test images of step ``k``, of one source or of several.

    Args:
        experiment: The steps, classes and method of a config.
        k: Number of the step, from 0.

    Raises:
        InvalidInputError: There are none, or the config has no pipeline of the name ``eval_mode``.
    """
    parts = experiment.sources.test_parts(k)
    if not parts:
        raise expected(f'test images of step {k}', [], 'those of at least one step')
    configs = [dataset_config(experiment, k, 'test', arguments=part.arguments) for part in parts]
    return configs[0] if len(configs) == 1 else dict(type='PartsDataset', parts=configs)


def training_images(experiment: Experiment, k: int, partly_labelled: bool) -> dict[str, Any]:
    """Return the config of the data set that step ``k`` is learned from, with all its images.

    Args:
        experiment: The steps, classes and method of a config.
        k: Number of the step, from 0.
        partly_labelled: Whether an image may be without a mask.
    """
    images = experiment.sources.data(k, 'train')
    return dict(images, partly_labelled=True) if partly_labelled else images


def loader_config(experiment: Experiment, dataset: Any, **kwargs: Any) -> dict[str, Any]:
    """Return the config of a DataLoader; the number of workers does not change results.

    Args:
        experiment: The steps, classes and method of a config.
        dataset: The data set or its config.
        kwargs: Further entries, such as ``batch_size`` or ``batch_sampler``.
    """
    workers = experiment.config['num_workers']
    return dict(
        dataset=dataset,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=experiment.config['schedule'].get('pin_memory', True)
        and torch.cuda.is_available(),
        collate_fn=dict(type='incseg.collate_samples'),
        sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
        **kwargs,
    )
