"""The parts of a config: registered, given known arguments, and possible to build."""
import inspect
from collections.abc import Mapping
from copy import deepcopy
from difflib import get_close_matches
from typing import Any

import torch
from mmengine.registry import DefaultScope, Registry, init_default_scope

from incseg.engine.experiment import Experiment
from incseg.engine.network_config import model_config
from incseg.engine.part_optim import factor_groups
from incseg.errors import InvalidInputError, UserError
from incseg.registry import (
    DATASETS,
    HOOKS,
    MODELS,
    OPTIMIZERS,
    SCOPE,
    TASK_UTILS,
    TRANSFORMS,
)


def check_types(config: Any) -> None:
    """Every ``type`` is registered, and every other key is an argument of it."""
    data, method, model = config['data'], config['method'], config['model']
    pipelines = {'data.train_pipeline': data['train_pipeline']}
    pipelines |= {f'data.test_pipelines.{name}': steps
                  for name, steps in data['test_pipelines'].items()}
    for key, pipeline in pipelines.items():
        if not isinstance(pipeline, Mapping):
            raise InvalidInputError(f'{key} is {pipeline!r}, expected transforms by name')
        for name, step in pipeline.items():
            check_part(f'{key}.{name}', step, TRANSFORMS)
    for split in ('train', 'test'):
        check_part(f'data.{split}', data[split], DATASETS)
    check_part('model', model, MODELS)
    norm = config['norm_cfg'].get('type')
    if not isinstance(norm, str) or MODELS.get(norm) is None:
        raise InvalidInputError(f"norm_cfg.type is {norm!r}, allowed: 'BN', 'SyncBN', 'GN', …")
    for key in ('backbone', 'decode_head'):
        check_part(f'model.{key}', model[key], MODELS, needed=True)
    for name, head in (model.get('auxiliary_head') or {}).items():
        check_part(f'model.auxiliary_head.{name}', head, MODELS)
    check_part('method.loss_decode', method['loss_decode'], MODELS, needed=True)
    check_part('method.classifier_init', method['classifier_init'], MODELS, needed=True)
    check_part('method.target_labeller', method.get('target_labeller'), MODELS)
    for name, term in (method.get('distillation') or {}).items():
        check_part(f'method.distillation.{name}', term, MODELS)
    for name, hook in (method.get('hooks') or {}).items():
        check_method_hook(f'method.hooks.{name}', hook)
    for name, hook in config['custom_hooks'].items():
        check_part(f'custom_hooks.{name}', hook, HOOKS)
    check_part('schedule.optimizer', config['schedule']['optimizer'], OPTIMIZERS)
    seam = config.get('seam') or {}
    if not isinstance(seam, Mapping):
        raise InvalidInputError(f'seam is {seam!r}, expected a dict, or None')
    for key, registry in (('model', MODELS), ('refine', MODELS), ('image_labels', TASK_UTILS)):
        check_part(f'seam.{key}', seam.get(key), registry)


def check_part(key: str, part: Any, registry: Registry, needed: bool = False) -> None:
    if part is None and not needed:
        return
    if not isinstance(part, Mapping) or 'type' not in part:
        raise InvalidInputError(f"{key} is {part!r}, expected dict(type=…, …)")
    found = registry.get(part['type']) if isinstance(part['type'], str) else part['type']
    if found is None:
        raise InvalidInputError(
            f"{key}.type is {part['type']!r}, which is not registered (custom_imports missing?)")
    allowed = arguments(found)
    for name in part:
        if name != 'type' and allowed is not None and name not in allowed:
            unknown(f'{key}.{name}', part['type'], {f'{key}.{a}' for a in allowed})


def check_method_hook(key: str, hook: Any) -> None:
    check_part(key, hook, HOOKS)
    if hook is not None and not hasattr(HOOKS.get(hook['type']), 'in_base_step'):
        raise InvalidInputError(
            f"{key}.type is {hook['type']!r}, which is no MethodHook; other hooks go into "
            'custom_hooks')


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
        names |= {p.name for p in parameters
                  if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return names
    return names


def try_to_build(experiment: Experiment) -> None:
    """Build the last step's network, without memory for it, the hooks and the optimiser."""
    config = experiment.config
    if DefaultScope.get_current_instance() is None:
        init_default_scope(SCOPE)
    key = 'the model or a part of the method'
    try:
        model = build_without_memory(model_config(experiment, experiment.num_steps - 1))
        for name, hook in (config['method'].get('hooks') or {}).items():
            key = f'method.hooks.{name}'
            if hook is not None:
                HOOKS.build(dict(hook, name=name))
        key = 'schedule.lr_factors'
        if experiment.num_steps > 1:
            factor_groups(model, 1., config['schedule'].get('lr_factors') or {})
        key = 'schedule.optimizer'
        optimizer = dict(config['schedule']['optimizer'], lr=config['schedule']['lr']['base'])
        OPTIMIZERS.build(optimizer, default_args=dict(params=[torch.zeros(1)]))
    except UserError:
        raise
    except Exception as error:  # whatever a part's constructor does not like
        raise InvalidInputError(f'{key} cannot be built: {error}') from error
    parts = {f'method.distillation.{name}': term
             for name, term in getattr(model, 'distillation', {}).items()}
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


def build_without_memory(config: dict) -> Any:
    """A network on the meta device; for real where a part looks at its own values."""
    try:
        with torch.device('meta'):
            return MODELS.build(deepcopy(config))
    except UserError:
        raise
    except Exception:
        return MODELS.build(config)


def unknown(key: str, where: str, allowed: set[str]) -> None:
    close = get_close_matches(key, allowed, 1)
    hint = f'did you mean {close[0]!r}?' if close else f'allowed: {sorted(allowed)}'
    raise InvalidInputError(f'unknown key {key!r} of {where}; {hint}')
