"""What the data of a step are read by."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from incseg.datasets import SegDataset
from incseg.engine.recipe.experiment import Experiment, resolve
from incseg.errors import InvalidInputError, MissingFileError
from incseg.registry import DATASETS, TASK_UTILS


def pipeline(
    transforms: Mapping[str, Any],
    image_scale: float,
    labels_follow: bool,
    labels_loader: Mapping[str, Any] | None = None,
) -> list[dict]:
    """Named transforms (None: left out) between loading and packing.

    Args:
        transforms: Configs by name, in order.
        image_scale: Factor on every image before anything else.
        labels_follow: Whether the labels are scaled with it (training) or
            stay at their own resolution (test).
        labels_loader: Config of the transform that loads labels, masks by default.
    """
    steps: list[dict] = [dict(type='LoadImage'), dict(labels_loader or dict(type='LoadLabels'))]
    if image_scale != 1:
        steps.append(dict(type='Resize', scale_factor=image_scale, resize_labels=labels_follow))
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
    from incseg.engine.weak.annotation import image_labels, is_weak, labels_loader

    config, method = experiment.config, experiment.config['method']
    data = resolve(config['data'], config)
    if mode == 'train':
        transforms = data['train_pipeline']
    elif config['eval_mode'] in data['test_pipelines']:
        transforms = data['test_pipelines'][config['eval_mode']]
    else:
        raise InvalidInputError(
            f'eval_mode is {config["eval_mode"]!r}, allowed: {sorted(data["test_pipelines"])}'
        )
    weak = mode == 'train' and is_weak(experiment, k)
    if mode == 'train' and k > 0 and method.get('image_labels'):
        return dict(
            type='WeakDataset',
            dataset=training_set(experiment),
            protocol=experiment.protocol_args(),
            step=k,
            scope='step',
            image_labels=resolve(method['image_labels'], config),
            negatives=resolve(method.get('negatives'), config),
            pipeline=without_labels(pipeline(transforms, config['image_scale'], True)),
        )
    return dict(
        type='IncrementalDataset',
        dataset=training_set(experiment) if mode == 'train' else data['test'],
        protocol=experiment.protocol_args(),
        step=k,
        mode=mode,
        pipeline=pipeline(
            transforms,
            config['image_scale'],
            mode == 'train',
            labels_loader(experiment, k, previous) if weak else None,
        ),
        all_images=experiment.joint,
        void_as_background=data.get('void_as_background', False),
        image_labels=image_labels(experiment) if weak else None,
    )


def loader_config(experiment: Experiment, dataset: Any, **kwargs: Any) -> dict[str, Any]:
    """A DataLoader's config; the number of workers does not change results."""
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


def training_set(experiment: Experiment) -> dict[str, Any]:
    """Config of the data set that the steps are trained on.

    Where added steps learn from image-level labels that do not come from masks,
    an image may be without a mask; :func:`check_masks` says which may not.
    """
    return training_images(experiment, not masks_needed(weak_labels(experiment)))


def weak_training_set(experiment: Experiment) -> dict[str, Any]:
    """Config of the same images where the masks themselves are not looked at."""
    from incseg.engine.weak.annotation import image_labels

    return training_images(experiment, not masks_needed(image_labels(experiment)))


def training_images(experiment: Experiment, partly_labelled: bool) -> dict[str, Any]:
    """Config of the images; the key stands there only where it is wanted."""
    made: dict[str, Any] = dict(resolve(experiment.config['data'], experiment.config)['train'])
    return dict(made, partly_labelled=True) if partly_labelled else made


def weak_labels(experiment: Experiment) -> Mapping[str, Any] | None:
    """Config of the image-level labels that steps are learned from; None: there is no such step."""
    from incseg.engine.weak.annotation import image_labels

    config = experiment.config
    if config.get('annotation') is not None:
        return image_labels(experiment)
    source: Mapping[str, Any] | None = resolve(config['method'].get('image_labels'), config)
    return source


def masks_needed(source: Mapping[str, Any] | None) -> bool:
    """Whether every image needs a mask: without image-level labels, and where masks give them."""
    kind = None if source is None else source['type']
    found = TASK_UTILS.get(kind) if isinstance(kind, str) else kind
    return found is None or bool(getattr(found, 'reads_masks', False))


def check_masks(experiment: Experiment, dataset: SegDataset) -> None:
    """Refuse an image without a mask that no weak step uses, but a step with masks does.

    The image-level labels say so: a base class is in it and no other.  An image
    that shows both serves the weak steps alone.

    Raises:
        MissingFileError: naming the first such mask and how many there are.
    """
    annotation = experiment.config.get('annotation')
    base = list(experiment.protocol.base_classes)
    if dataset.has_mask.all() or (annotation is not None and annotation['steps'] == 'all'):
        return
    source = TASK_UTILS.build(
        dict(weak_labels(experiment) or {}), default_args=dict(dataset=dataset)
    )
    shown = source.labels(dataset.image_ids)
    only_base = shown[:, base].any(1) & ~shown[:, list(experiment.protocol.added_classes)].any(1)
    lacking = np.flatnonzero(only_base & ~dataset.has_mask)
    if len(lacking):
        info = dataset.get_data_info(int(lacking[0]))
        names = experiment.names(tuple(i for i in base if shown[lacking[0], i]))
        raise MissingFileError(
            f"label file '{info['seg_map_path']}' does not exist: the image shows "
            f'{", ".join(names)} and no class of a step without masks, so the base step needs it '
            f'({len(lacking)} such images have none); {dataset.how_to_get}'
        )


def step_dataset(
    experiment: Experiment, k: int, source: Any, previous: str | Path | None = None
) -> Any:
    """The training images of step ``k`` and their labels.

    Args:
        experiment: The experiment.
        k: The step.
        source: The whole data set, built once for all steps.
        previous: ``final.pth`` of the step before, on which the place of
            pseudo-labels may depend; None as long as no sample is used.

    Returns:
        An :class:`IncrementalDataset`, or a :class:`WeakDataset` where the
        method has image-level labels alone.

    Raises:
        InvalidInputError: If the step has no image, or, with image-level
            labels, a class that is in every image.
    """
    settings = dict(dataset_config(experiment, k, 'train', previous), dataset=source)
    if settings['type'] == 'WeakDataset':
        settings.update(
            protocol=experiment.training,
            image_labels=TASK_UTILS.build(
                settings['image_labels'], default_args=dict(dataset=source)
            ),
        )
    return DATASETS.build(settings)
