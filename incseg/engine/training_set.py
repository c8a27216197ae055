"""All training images of a config, and which of them need a mask."""
from collections.abc import Mapping
from typing import Any

import numpy as np

from incseg.datasets import SegDataset
from incseg.engine.annotation import image_labels
from incseg.engine.experiment import Experiment
from incseg.engine.resolve import resolve
from incseg.errors import MissingFileError
from incseg.registry import TASK_UTILS


def training_set(experiment: Experiment) -> dict[str, Any]:
    """Config of the data set that the steps are trained on.

    Where added steps learn from image-level labels that do not come from masks,
    an image may be without a mask; :func:`check_masks` says which may not.
    """
    return training_images(experiment, not masks_needed(weak_labels(experiment)))


def weak_training_set(experiment: Experiment) -> dict[str, Any]:
    """Config of the same images where the masks themselves are not looked at."""
    return training_images(experiment, not masks_needed(image_labels(experiment)))


def training_images(experiment: Experiment, partly_labelled: bool) -> dict[str, Any]:
    """Config of the images; the key stands there only where it is wanted."""
    made: dict[str, Any] = dict(resolve(experiment.config['data'], experiment.config)['train'])
    return dict(made, partly_labelled=True) if partly_labelled else made


def weak_labels(experiment: Experiment) -> Mapping[str, Any] | None:
    """Config of the image-level labels that steps are learned from; None: there is no such step."""
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
        dict(weak_labels(experiment) or {}), default_args=dict(dataset=dataset))
    shown = source.labels(dataset.image_ids)
    only_base = shown[:, base].any(1) & ~shown[:, list(experiment.protocol.added_classes)].any(1)
    lacking = np.flatnonzero(only_base & ~dataset.has_mask)
    if len(lacking):
        info = dataset.get_data_info(int(lacking[0]))
        names = experiment.names(tuple(i for i in base if shown[lacking[0], i]))
        raise MissingFileError(
            f"label file '{info['seg_map_path']}' does not exist: the image shows "
            f"{', '.join(names)} and no class of a step without masks, so the base step needs it "
            f'({len(lacking)} such images have none); {dataset.how_to_get}')
