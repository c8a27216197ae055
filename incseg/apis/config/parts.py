"""Build the parts of a config on trial, before anything is read or trained."""

import inspect
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from copy import deepcopy
from typing import Any

import torch
from mmengine.registry import DefaultScope, Registry, init_default_scope

from incseg.apis.config.stored import items_of, unknown_type
from incseg.datasets.image_labels import PartImageLabels
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.network import model_config
from incseg.engine.recipe.step import lr_schedule
from incseg.engine.runner.optim import factor_groups
from incseg.errors import InvalidInputError, MissingFileError, UserError
from incseg.models.backbones.base import hands_out_stages
from incseg.registry import (
    HOOKS,
    MODELS,
    OPTIMIZERS,
    PARAM_SCHEDULERS,
    SCOPE,
    STEP_LABELS,
    STEP_SOURCES,
    TASK_UTILS,
    TRANSFORMS,
    part_of,
)
from incseg.utils.rules import expected, unknown_key
from incseg.utils.signatures import arguments, check_arguments


class NotBuiltError(InvalidInputError):
    """A part's constructor raised an error that was not made for the user."""


#: arguments that the library hands over, by the name of a registry; no config may name them
HANDED_OVER = {
    TASK_UTILS.name: {'dataset'},
    STEP_LABELS.name: {'experiment', 'step'},
    STEP_SOURCES.name: {'config'},
}


def try_to_build(experiment: Experiment) -> None:
    """Build the last step's network, without memory for it, the hooks, the optimiser and so on."""
    config, last = experiment.config, experiment.num_steps - 1
    model = try_part('the model or a part of the method', model_config(experiment, last), MODELS)
    try_pass(model)
    if config['method'].get('base_loss') is not None:  # the only part that step 0 alone has
        try_part('method.base_loss', model_config(experiment, 0), MODELS)
    for name, hook in (config['method'].get('hooks') or {}).items():
        if hook is not None:
            try_part(f'method.hooks.{name}', dict(hook, name=name), HOOKS)
    key, init = 'method.classifier_init', config['method']['classifier_init']
    if not callable(try_part(key, init, MODELS)):
        raise expected(f'{key}.type', init['type'], 'a part that is called with a classifier')
    with refused_as('schedule.lr_factors'):
        if last:
            factor_groups(model, 1.0, config['schedule'].get('lr_factors') or {})
    schedule = config['schedule']
    optimizer = dict(schedule['optimizer'], lr=schedule['lr']['base'])
    try_part('schedule.optimizer', {'params': [torch.zeros(1)], **optimizer}, OPTIMIZERS)
    if schedule.get('lr_schedule') is not None:
        check_schedule('schedule.lr_schedule', lr_schedule(experiment, last, TRIAL_ITERS))
    parts = {
        f'method.distillation.{name}': term
        for name, term in getattr(model, 'distillation', {}).items()
    }
    parts['method.target_labeller'] = getattr(model, 'target_labeller', None)
    for key, part in parts.items():
        check_fits(key, part, model)


def try_pass(model: Any) -> None:
    """Pass an image without content through a network without memory, to check its maps.

    What a network cannot do without memory is not an error.

    Raises:
        InvalidInputError: If the maps or stages of the backbone are not as it declares.
    """
    if any(not value.is_meta for value in model.parameters()):
        return
    images = torch.empty(2, 3, 64, 64, device='meta')
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            model.extract(images, intermediate=hands_out_stages(model.backbone))
    except UserError:
        raise
    except Exception:
        return


#: iterations of the training that a schedule is built for on trial: more than any has
TRIAL_ITERS = 10**9


def check_schedule(key: str, schedule: Mapping[str, Any]) -> None:
    """Build a learning-rate schedule, which has to count in iterations."""
    check_part(key, schedule, PARAM_SCHEDULERS)
    if schedule.get('by_epoch'):
        raise expected(f'{key}.by_epoch', True, 'False: a step is counted in iterations')
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    made = try_part(key, dict(schedule, optimizer=optimizer), PARAM_SCHEDULERS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # that the optimiser made no step
            made.step(), made.step()
    except ArithmeticError as error:
        raise InvalidInputError(
            f'{key}: {schedule["type"]} cannot make a step ({type(error).__name__}: {error}); '
            'look at its arguments'
        ) from error
    except Exception:  # what it needs is not there yet, as the value of a loss
        return


def check_fits(key: str, part: Any, model: Any) -> None:
    """Check that the network has what a part of the method reads."""
    if not hasattr(part, 'check'):
        return
    with refused_as(key):
        try:
            part.check(model)
        except InvalidInputError as error:
            raise InvalidInputError(f'{key}: {error}') from None


def check_pipeline(key: str, pipeline: Any) -> None:
    """Build the transforms of a pipeline, by name; None stands for one that is left out."""
    if not isinstance(pipeline, Mapping):
        raise expected(key, pipeline, 'transforms by name')
    for name, transform in pipeline.items():
        try_but_files(f'{key}.{name}', transform, TRANSFORMS)


def check_image_label_source(key: str, source: Any) -> None:
    """Check that a source of image-level labels has all its arguments but the data set.

    So do the sources of parts that it names.
    """
    check_part(key, source, TASK_UTILS)
    if source is None:
        return
    kind = part_of(source['type'], TASK_UTILS)
    if kind is PartImageLabels and isinstance(source.get('parts'), Mapping):
        for name, part in source['parts'].items():
            check_image_label_source(f'{key}.parts.{name}', part)
    options = {name: value for name, value in source.items() if name != 'type'}
    try:
        inspect.signature(kind).bind(dataset=None, **options)
    except TypeError as error:
        raise InvalidInputError(f'{key}: {error} of {kind.__name__}') from None


def try_part(key: str, part: Mapping[str, Any], registry: Registry) -> Any:
    """Build a part; a network without memory for its weights."""
    if DefaultScope.get_current_instance() is None:
        init_default_scope(SCOPE)
    with refused_as(key):
        return (
            build_without_memory(dict(part)) if registry is MODELS else registry.build(dict(part))
        )


@contextmanager
def refused_as(key: str) -> Iterator[None]:
    """Name the key in every error of a part's constructor."""
    try:
        yield
    except UserError:
        raise
    except FileNotFoundError as error:
        raise MissingFileError(f'{key} cannot be built: {error}') from error
    except Exception as error:
        text = ' '.join(str(error).split())
        raise NotBuiltError(f'{key} cannot be built: {text or type(error).__name__}') from error


def try_but_files(key: str, part: Mapping[str, Any] | None, registry: Registry) -> None:
    """Build a part of the training, if its files are there.

    An evaluation does without them; the training looks for them when it needs them.
    """
    check_part(key, part, registry)
    with suppress(MissingFileError):
        if part is not None:
            try_part(key, part, registry)


def build_without_memory(config: dict) -> Any:
    """Build a network on the meta device; for real where a part looks at its own values."""
    try:
        with torch.device('meta'), warnings.catch_warnings():
            warnings.simplefilter('ignore')  # a checkpoint that is read is not copied
            return MODELS.build(deepcopy(config))
    except UserError:
        raise
    except Exception:
        return MODELS.build(config)


def check_part(key: str, part: Any, registry: Registry, needed: bool = False) -> None:
    """Check that a part's type is registered and has an argument for every other key.

    None stands for no part, where none is needed.
    """
    if part is None and not needed:
        return
    if not isinstance(part, Mapping) or 'type' not in part:
        raise expected(key, part, 'dict(type=…, …)')
    kind = part_of(part['type'], registry)
    if kind is None:
        raise unknown_type(f'{key}.type', part['type'], registry)
    allowed = arguments(kind)
    if allowed is not None:
        allowed -= HANDED_OVER.get(registry.name, set())
    for name in part:
        if name != 'type' and allowed is not None and name not in allowed:
            raise unknown_key(
                f'{key}.{name}',
                part['type'],
                {f'{key}.{a}' for a in allowed},
                f'; if it comes from a base, put _delete_=True into {key}',
            )


def check_argument_values(settings: Mapping[str, Any]) -> None:
    """Refuse values that the annotations of the parts' arguments exclude.

    Args:
        settings: The config, its names resolved; every dict with a registered type in it is a
            part.

    Raises:
        InvalidInputError: Naming the first such argument.
    """
    for key, part in items_of(settings):
        kind = part_of(part.get('type')) if isinstance(part, Mapping) else None
        if kind is not None:
            check_arguments(key, kind, {name: part[name] for name in part if name != 'type'})


def parts_by_name(key: str, parts: Any) -> Mapping[str, Any]:
    """Return the parts of a section, of which None stands for one without parts."""
    if parts is not None and not isinstance(parts, Mapping):
        raise expected(key, parts, 'parts by name, or None')
    return parts or {}
