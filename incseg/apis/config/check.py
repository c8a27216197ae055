"""Is a config complete, are its keys known and its values allowed?"""

from collections.abc import Mapping
from typing import Any

from incseg.apis.config.parts import (
    check_image_label_source,
    check_part,
    check_pipeline,
    try_to_build,
    unknown,
)
from incseg.apis.config.sections import (
    check_annotation,
    check_image_labels,
    check_seam,
    check_warmup,
)
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.replay_memory import ReplayMemory
from incseg.errors import InvalidInputError
from incseg.registry import DATASETS, HOOKS, MODELS, OPTIMIZERS
from incseg.utils.rules import NOT_NEGATIVE, NUMBER, POSITIVE, checked, or_none, whole

REQUIRED: dict[str, Any] = {
    'model': Mapping,
    'data': Mapping,
    'protocol': Mapping,
    'schedule': Mapping,
    'method': Mapping,
    'pretrained': bool,
    'width': str,
    'norm_cfg': Mapping,
    'data_root': str,
    'num_workers': int,
    'image_scale': (int, float),
    'eval_mode': str,
    'batch_size': int,
    'crop_size': (int, list, tuple),
    'epochs': (int, list, tuple),
    'seed': int,
    'custom_hooks': Mapping,
    'base_steps_dir': str,
    'seam_dir': str,
}
#: what a user calls them; a tuple goes without saying where a list does
KINDS = {
    Mapping: 'a dict',
    bool: 'True or False',
    str: 'text',
    int: 'a whole number',
    float: 'a number',
    list: 'a list of them',
}
OPTIONAL = ('custom_imports', 'filename', 'warmup_epochs', 'seam', 'annotation', 'voc_root')
SECTIONS = {
    'protocol': ({'name'}, {'setting', 'class_order'}),
    'method': (
        {'name', 'loss_decode', 'classifier_init'},
        {
            'distillation',
            'target_labeller',
            'image_labels',
            'negatives',
            'frozen',
            'hooks',
            'memory',
            'joint',
        },
    ),
    'schedule': (
        {'lr', 'optimizer', 'poly_power', 'amp', 'log_interval', 'checkpoint_interval'},
        {'compile', 'tf32', 'pin_memory', 'lr_factors'},
    ),
    'data': ({'name', 'train', 'test', 'train_pipeline', 'test_pipelines'}, {'void_as_background'}),
}


def check_config(config: Any) -> Experiment:
    """Check a config; returns what it means.

    Raises:
        InvalidInputError: Naming the first key that is missing, unknown or
            has a value that is not allowed.
    """
    known = {*REQUIRED, *OPTIONAL}
    for key in config:
        if key not in known:
            unknown(key, 'the config', known)
    for key, kind in REQUIRED.items():
        if key not in config:
            raise InvalidInputError(f'the config has no {key!r}')
        value = config[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            kinds = kind if isinstance(kind, tuple) else (kind,)
            names = ' or '.join(KINDS[k] for k in kinds if k in KINDS)
            raise InvalidInputError(f'{key} is {value!r}, expected {names}')
    if not isinstance(config.get('voc_root', ''), str):
        raise InvalidInputError(f'voc_root is {config["voc_root"]!r}, expected text')
    for section, (required, optional) in SECTIONS.items():
        allowed = {f'{section}.{key}' for key in required | optional}
        for key in config[section]:
            if f'{section}.{key}' not in allowed:
                unknown(f'{section}.{key}', section, allowed)
        for key in sorted(required - set(config[section])):
            raise InvalidInputError(f"the config has no '{section}.{key}'")
    check_numbers(config)
    check_types(config)
    check_image_labels(config)
    experiment = Experiment(config)
    if config['eval_mode'] not in config['data']['test_pipelines']:
        raise InvalidInputError(
            f'eval_mode is {config["eval_mode"]!r}, allowed: '
            f'{sorted(config["data"]["test_pipelines"])}'
        )
    epochs = config['epochs']
    if isinstance(epochs, (list, tuple)) and len(epochs) > experiment.protocol.num_steps:
        raise InvalidInputError(
            f'epochs is {list(epochs)}, but there are only {experiment.protocol.num_steps} steps'
        )
    check_memory(config)
    check_warmup(experiment)
    try_to_build(experiment)
    if config.get('seam') is not None:
        check_seam(experiment)
    if config.get('annotation') is not None:
        check_annotation(config)
    return experiment


def check_memory(config: Any) -> None:
    options = config['method'].get('memory')
    if options is not None and not isinstance(options, Mapping):
        raise InvalidInputError(f'method.memory is {options!r}, expected dict(size=…, …), or None')
    ReplayMemory(options, config['seed']).exemplars_per_batch(config['batch_size'])


def check_numbers(config: Any) -> None:
    epochs = config['epochs']
    for value in epochs if isinstance(epochs, (list, tuple)) else [epochs]:
        checked('epochs', value, whole(1))
    if isinstance(epochs, (list, tuple)) and not epochs:
        raise InvalidInputError('epochs is an empty list, expected a number or one per step')
    crop = config['crop_size']
    for value in crop if isinstance(crop, (list, tuple)) else [crop]:
        checked('crop_size', value, whole(1))
    checked('batch_size', config['batch_size'], whole(1))
    checked('num_workers', config['num_workers'], whole(0))
    checked('seed', config['seed'], whole(0))
    schedule = config['schedule']
    checked('schedule.poly_power', schedule['poly_power'], NUMBER)
    for part, loss in weighted_parts(config).items():
        if isinstance(loss, Mapping) and 'loss_weight' in loss:
            checked(f'{part}.loss_weight', loss['loss_weight'], NOT_NEGATIVE)
    checked('schedule.log_interval', schedule['log_interval'], whole(1))
    checked('schedule.checkpoint_interval', schedule['checkpoint_interval'], whole(1))
    checked('image_scale', config['image_scale'], POSITIVE)
    for key in ('base', 'added'):
        if not isinstance(schedule['lr'], Mapping) or key not in schedule['lr']:
            raise InvalidInputError(
                f'schedule.lr is {schedule["lr"]!r}, expected dict(base=…, added=…)'
            )
        checked(f'schedule.lr.{key}', schedule['lr'][key], POSITIVE)
    factors = schedule.get('lr_factors') or {}
    if not isinstance(factors, Mapping):
        raise InvalidInputError(
            f'schedule.lr_factors is {factors!r}, expected dict(decode_head=…, …)'
        )
    for part, factor in factors.items():
        checked(f'schedule.lr_factors.{part}', factor, or_none(POSITIVE))
    switches = {
        **{f'schedule.{key}': schedule.get(key) for key in ('compile', 'tf32', 'pin_memory')},
        'method.joint': config['method'].get('joint'),
        'data.void_as_background': config['data'].get('void_as_background'),
    }
    if schedule['amp'] not in (True, False, 'auto'):
        raise InvalidInputError(
            f"schedule.amp is {schedule['amp']!r}, expected True, False or 'auto'"
        )
    for key, value in switches.items():
        if value is not None and not isinstance(value, bool):
            raise InvalidInputError(f'{key} is {value!r}, expected True or False')


def weighted_parts(config: Any) -> dict[str, Any]:
    """What may have a ``loss_weight``, by key."""
    method = config['method']
    return {
        'method.loss_decode': method['loss_decode'],
        **{
            f'method.{kind}.{name}': part
            for kind in ('distillation', 'hooks')
            for name, part in (method.get(kind) or {}).items()
        },
    }


def check_types(config: Any) -> None:
    """Every ``type`` is registered, every other key an argument of it; transforms can be built."""
    data, method, model = config['data'], config['method'], config['model']
    pipelines = {'data.train_pipeline': data['train_pipeline']}
    pipelines |= {
        f'data.test_pipelines.{name}': steps for name, steps in data['test_pipelines'].items()
    }
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
            f'{key}.type is {hook["type"]!r}, which is no MethodHook; other hooks go into '
            'custom_hooks'
        )
