"""All parts of a config: each registered, and given arguments that it has."""
from collections.abc import Mapping
from typing import Any

from incseg.apis.config_parts import check_part
from incseg.apis.config_trial import check_image_label_source, check_pipeline
from incseg.errors import InvalidInputError
from incseg.registry import DATASETS, HOOKS, MODELS, OPTIMIZERS


def check_types(config: Any) -> None:
    """Every ``type`` is registered, every other key an argument of it; transforms can be built."""
    data, method, model = config['data'], config['method'], config['model']
    pipelines = {'data.train_pipeline': data['train_pipeline']}
    pipelines |= {f'data.test_pipelines.{name}': steps
                  for name, steps in data['test_pipelines'].items()}
    for key, pipeline in pipelines.items():
        check_pipeline(key, pipeline, config)
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
    labeller = method.get('target_labeller')
    check_part('method.target_labeller', labeller, MODELS)
    refine = (labeller or {}).get('refine')
    if isinstance(refine, Mapping):  # a labeller of one's own may mean something else by it
        check_part('method.target_labeller.refine', refine, MODELS)
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
    for name in ('model', 'refine'):
        check_part(f'seam.{name}', seam.get(name), MODELS)
    check_image_label_source('seam.image_labels', seam.get('image_labels'))


def check_method_hook(key: str, hook: Any) -> None:
    check_part(key, hook, HOOKS)
    if hook is not None and not hasattr(HOOKS.get(hook['type']), 'in_base_step'):
        raise InvalidInputError(
            f"{key}.type is {hook['type']!r}, which is no MethodHook; other hooks go into "
            'custom_hooks')
