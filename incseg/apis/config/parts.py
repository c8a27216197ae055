"""Parts of a config, built on trial: before anything is read or trained."""

import inspect
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from copy import deepcopy
from difflib import get_close_matches
from typing import Any

import torch
from mmengine.registry import DefaultScope, Registry, init_default_scope

from incseg.datasets.image_labels import PartImageLabels
from incseg.engine.recipe.experiment import Experiment, resolve
from incseg.engine.recipe.network import model_config
from incseg.engine.runner.optim import factor_groups
from incseg.errors import InvalidInputError, MissingFileError, UserError
from incseg.registry import HOOKS, MODELS, OPTIMIZERS, SCOPE, STEP_LABELS, TASK_UTILS, TRANSFORMS

#: arguments that the library hands over, by the name of a registry; no config may name them
HANDED_OVER = {TASK_UTILS.name: {'dataset'}, STEP_LABELS.name: {'experiment', 'step'}}


def try_to_build(experiment: Experiment) -> None:
    """Build the last step's network, without memory for it, the hooks and the optimiser."""
    config, last = experiment.config, experiment.num_steps - 1
    model = try_part('the model or a part of the method', model_config(experiment, last), MODELS)
    for name, hook in (config['method'].get('hooks') or {}).items():
        if hook is not None:
            try_part(f'method.hooks.{name}', dict(hook, name=name), HOOKS)
    with refused_as('schedule.lr_factors'):
        if last:
            factor_groups(model, 1.0, config['schedule'].get('lr_factors') or {})
    optimizer = dict(config['schedule']['optimizer'], lr=config['schedule']['lr']['base'])
    try_part('schedule.optimizer', {'params': [torch.zeros(1)], **optimizer}, OPTIMIZERS)
    parts = {
        f'method.distillation.{name}': term
        for name, term in getattr(model, 'distillation', {}).items()
    }
    parts['method.target_labeller'] = getattr(model, 'target_labeller', None)
    for key, part in parts.items():
        check_fits(key, part, model)


def check_fits(key: str, part: Any, model: Any) -> None:
    """Does the network have what a part of the method reads?"""
    if not hasattr(part, 'check'):
        return
    try:
        part.check(model)
    except InvalidInputError as error:
        raise InvalidInputError(f'{key}: {error}') from None


def check_pipeline(key: str, pipeline: Any, config: Mapping[str, Any]) -> None:
    """Transforms by name, each possible to build; None stands for one that is left out."""
    if not isinstance(pipeline, Mapping):
        raise InvalidInputError(f'{key} is {pipeline!r}, expected transforms by name')
    for name, transform in pipeline.items():
        try_but_files(f'{key}.{name}', transform, TRANSFORMS, config)


def check_image_label_source(key: str, source: Any) -> None:
    """A source of image-level labels has all that it needs, and those of parts that it names.

    The data set is handed to it.
    """
    check_part(key, source, TASK_UTILS)
    if source is None:
        return
    kind = source['type']
    found = TASK_UTILS.get(kind) if isinstance(kind, str) else kind
    if found is PartImageLabels and isinstance(source.get('parts'), Mapping):
        for name, part in source['parts'].items():
            check_image_label_source(f'{key}.parts.{name}', part)
    options = {name: value for name, value in source.items() if name != 'type'}
    try:
        inspect.signature(found).bind(dataset=None, **options)
    except TypeError as error:
        raise InvalidInputError(f'{key}: {error} of {found.__name__}') from None


def try_part(key: str, part: Mapping[str, Any], registry: Registry) -> Any:
    """A part, built; a network without memory for its weights."""
    if DefaultScope.get_current_instance() is None:
        init_default_scope(SCOPE)
    with refused_as(key):
        return (
            build_without_memory(dict(part)) if registry is MODELS else registry.build(dict(part))
        )


@contextmanager
def refused_as(key: str) -> Iterator[None]:
    """Names the key of whatever a part's constructor does not like."""
    try:
        yield
    except UserError:
        raise
    except FileNotFoundError as error:
        raise MissingFileError(f'{key} cannot be built: {error}') from error
    except Exception as error:
        raise InvalidInputError(f'{key} cannot be built: {error}') from error


def try_but_files(
    key: str, part: Mapping[str, Any] | None, registry: Registry, config: Mapping[str, Any]
) -> None:
    """A part of the training can be built, as far as its files are there.

    An evaluation does without them; the training looks for them when it needs them.
    """
    check_part(key, part, registry)
    with suppress(MissingFileError):
        if part is not None:
            try_part(key, resolve(part, config), registry)


def build_without_memory(config: dict) -> Any:
    """A network on the meta device; for real where a part looks at its own values."""
    try:
        with torch.device('meta'), warnings.catch_warnings():
            warnings.simplefilter('ignore')  # a checkpoint that is read is not copied
            return MODELS.build(deepcopy(config))
    except UserError:
        raise
    except Exception:
        return MODELS.build(config)


def check_part(key: str, part: Any, registry: Registry, needed: bool = False) -> None:
    if part is None and not needed:
        return
    if not isinstance(part, Mapping) or 'type' not in part:
        raise InvalidInputError(f'{key} is {part!r}, expected dict(type=…, …)')
    found = registry.get(part['type']) if isinstance(part['type'], str) else part['type']
    if found is None:
        raise InvalidInputError(
            f'{key}.type is {part["type"]!r}, which is not registered (custom_imports missing?)'
        )
    allowed = arguments(found)
    if allowed is not None:
        allowed -= HANDED_OVER.get(registry.name, set())
    for name in part:
        if name != 'type' and allowed is not None and name not in allowed:
            unknown(f'{key}.{name}', part['type'], {f'{key}.{a}' for a in allowed})


def arguments(function: Any) -> set[str] | None:
    """Names of the arguments, those handed on to base classes included; None if unknowable."""
    if not inspect.isclass(function):
        parameters = list(inspect.signature(function).parameters.values())
        open_end = any(p.kind is p.VAR_KEYWORD for p in parameters)
        return None if open_end else {p.name for p in parameters}
    names: set[str] = set()
    for cls in function.__mro__:
        if '__init__' not in vars(cls) or cls is object:
            continue
        parameters = list(inspect.signature(vars(cls)['__init__']).parameters.values())[1:]
        names |= {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return names
    return names


def unknown(key: str, where: str, allowed: set[str]) -> None:
    close = get_close_matches(key, allowed, 1)
    hint = f'did you mean {close[0]!r}?' if close else f'allowed: {sorted(allowed)}'
    raise InvalidInputError(f'unknown key {key!r} of {where}; {hint}')
