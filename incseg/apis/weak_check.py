"""Is what a config says of learning from image-level labels possible?"""
from collections.abc import Mapping
from typing import Any

from incseg.apis.config_trial import check_image_label_source, try_but_files
from incseg.engine.experiment import Experiment
from incseg.engine.seam_negatives import is_old_network_negatives
from incseg.errors import InvalidInputError
from incseg.protocols.value_rules import checked, whole
from incseg.registry import DATASETS, MODELS


def check_image_labels(config: Mapping[str, Any]) -> None:
    """Image-level labels, and a labeller that can do with them, come together.

    Raises:
        InvalidInputError: Naming the key.
    """
    method = config['method']
    labels = method.get('image_labels')
    labeller = (method.get('target_labeller') or {}).get('type')
    check_image_label_source('method.image_labels', labels)
    try_but_files('method.negatives', method.get('negatives'), DATASETS, config)
    found = MODELS.get(labeller) if isinstance(labeller, str) else labeller
    takes = getattr(found, 'takes_image_labels', False)
    if takes and labels is None:
        raise InvalidInputError(
            f'method.image_labels is None, but {labeller} learns from image-level labels: '
            "expected their source, as dict(type='MaskImageLabels')")
    if labels is not None and not takes:
        raise InvalidInputError(
            f"method.target_labeller is {labeller!r}, which cannot learn "
            "from method.image_labels alone, allowed: 'OnlineLocaliser', or no image_labels")
    if labels is not None and method.get('memory'):
        raise InvalidInputError(
            'method.image_labels and method.memory do not go together: a step that learns from '
            'image-level labels has no use for the masks of kept images')
    if is_old_network_negatives(method.get('negatives')):
        raise InvalidInputError(
            f"method.negatives.type is {method['negatives']['type']!r}, which is for "
            "seam.negatives alone, allowed: dict(type='NegativeFolder', folder=…), or None")
    if method.get('negatives') is not None and labels is None:
        raise InvalidInputError('method.negatives are for method.image_labels, which is None')


def check_warmup(experiment: Experiment) -> None:
    """The epochs of an added step before the learning rate decays leave some to train in.

    Raises:
        InvalidInputError: Naming the key.
    """
    warmup = experiment.config.get('warmup_epochs', 0)
    checked('warmup_epochs', warmup, whole(0))
    for k in range(1, experiment.num_steps):
        epochs = experiment.epochs(k)
        if warmup >= epochs:
            fewer = f'--cfg-options warmup_epochs={epochs - 1}'
            raise InvalidInputError(
                f'step {k} has {epochs} epoch(s), all of them within warmup_epochs = {warmup}, in '
                f'which the localiser learns alone: pass --epochs {warmup + 1} or more, or {fewer}'
                + (' or less' if epochs > 1 else ''))
