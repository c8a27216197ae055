"""Configs of the network of a step."""

from collections.abc import Mapping, Sequence
from typing import Any

from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.names import resolve
from incseg.registry import MODELS, part_of

#: the parts that a method adds to the network for its training
METHOD_PARTS = ('distillation', 'target_labeller', 'frozen', 'dropout')


def model_config(experiment: Experiment, k: int, init: bool = False) -> dict[str, Any]:
    """Return the config of the network of step ``k`` with its losses and the parts of the method.

    Args:
        experiment: The steps, classes and method of a config.
        k: Number of the step, from 0.
        init: Whether pretrained weights may be loaded.  They matter only for step 0;
            later steps start from the previous one.
    """
    outputs = experiment.sources.outputs_per_step(k)
    model = model_of_config(experiment.raw_config, k, outputs, init)
    if experiment.channels_last is not None:
        model['channels_last'] = experiment.channels_last
    return model


def model_of_config(
    config: Mapping[str, Any], k: int, outputs_per_step: Sequence[int], init: bool = False
) -> dict[str, Any]:
    """Return the config of a network with its losses, see :func:`model_config`.

    Args:
        config: A config as it was written.
        k: The step.
        outputs_per_step: Outputs of the classifier of each step; the first has the background.
        init: Whether pretrained weights may be loaded.
    """
    pretrained = resolve(config['pretrained'], config)
    settings = {**config, 'pretrained': pretrained if init and k == 0 else False}
    model, method = (resolve(settings[key], settings) for key in ('model', 'method'))
    loss = dict(method['loss_decode'])
    if k == 0 and method.get('base_loss'):
        loss = dict(method['base_loss'])
    elif k == 0:  # without old classes some losses are another, simpler one
        loss['type'] = vars(part_of(loss['type'], MODELS)).get('base_step_type', loss['type'])
    heads = [model['decode_head'], *(model.get('auxiliary_head') or {}).values()]
    for head in heads:
        if head is not None:
            head.setdefault('loss_decode', loss)
    model['outputs_per_step'] = list(outputs_per_step)
    if k > 0:
        model |= {part: method[part] for part in METHOD_PARTS if method.get(part)}
    return model


def network_config(experiment: Experiment, k: int) -> dict[str, Any]:
    """Return the config of the network that step ``k`` saves.

    It lacks the parts that only serve its training: distillation, labeller and frozen parts.
    """
    return without_method(model_config(experiment, k))


def without_method(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return a network's config without the parts that a method adds for the training."""
    return {key: value for key, value in model.items() if key not in METHOD_PARTS}


def teacher_config(model: dict) -> dict:
    """Return the config of the network of the previous step, without the parts of a method.

    Args:
        model: Config of the student; it is not changed.
    """
    config = without_method(model)
    config['outputs_per_step'] = list(model['outputs_per_step'])[:-1]
    return config
