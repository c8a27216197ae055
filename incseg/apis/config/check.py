"""Check a config: its keys and values by the schema, and that its parts can be built."""

from collections.abc import Mapping
from typing import Any

from incseg.apis.config.parts import (
    NotBuiltError,
    check_argument_values,
    check_image_label_source,
    check_part,
    check_pipeline,
    parts_by_name,
    refused_as,
    try_to_build,
)
from incseg.apis.config.schema import SETTINGS, keys_of, sections
from incseg.apis.config.sections import (
    check_annotation,
    check_image_labels,
    check_seam,
    check_step_data,
    check_warmup,
)
from incseg.apis.config.setting_rules import BELOW_1
from incseg.apis.config.stored import check_dotted_types
from incseg.datasets.class_subset import declared_metainfo
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.names import names_in, resolve
from incseg.engine.recipe.network import METHOD_PARTS
from incseg.engine.replay_memory import ReplayMemory
from incseg.engine.start_checks.settings import weighted_parts
from incseg.errors import InvalidInputError
from incseg.models.prediction import PredictionSettings
from incseg.registry import (
    DATASETS,
    HOOKS,
    MODELS,
    OPTIMIZERS,
    PARAM_SCHEDULERS,
    STEP_SOURCES,
    part_of,
)
from incseg.utils.rules import NOT_NEGATIVE, any_of, check_keys, checked, expected, unknown_key


def check_config(config: Any) -> Experiment:
    """Check a complete config and return the experiment that it describes.

    Nothing is read but the config; every part that it names is built on trial, without data.

    Args:
        config: A ``mmengine.Config`` or a dict, as :func:`load_config` returns it.

    Raises:
        InvalidInputError: Naming the first key that is missing, unknown, has
            a value that is not allowed, or names a part that cannot be built.
    """
    check_top(config)
    settings = resolve(dict(config), config)
    check_dotted_types(settings)
    check_settings(settings)
    try:
        experiment = check_parts(config, settings)
    except NotBuiltError:
        check_argument_values(settings)  # a better reason, if there is one
        raise
    check_argument_values(settings)
    return experiment


def check_parts(config: Any, settings: Mapping[str, Any]) -> Experiment:
    """Check the parts of a config, and build them on trial.

    Args:
        config: The config.
        settings: The same, its names resolved; the values of the library's settings are checked.

    Returns:
        The experiment.

    Raises:
        InvalidInputError: Naming the first part that is refused.
    """
    check_types(settings)
    check_same_classes(settings['data'])
    check_image_labels(settings)
    with refused_as('protocol'):
        experiment = Experiment(config)
    if settings['eval_mode'] not in settings['data']['test_pipelines']:
        raise expected(
            'eval_mode', settings['eval_mode'], any_of(settings['data']['test_pipelines'])
        )
    PredictionSettings.of(settings.get('test_cfg'))
    epochs, num_steps = settings['epochs'], len(experiment.describe_protocol()['steps'])
    if isinstance(epochs, list | tuple) and len(epochs) > num_steps:
        raise expected('epochs', epochs, f'a number, or a list for the {num_steps} steps')
    memory = ReplayMemory(settings['method'].get('memory'), settings['seed'])
    memory.exemplars_per_batch(settings['batch_size'])
    check_warmup(experiment)
    try_to_build(experiment)
    if settings.get('seam') is not None:
        check_seam(experiment)
    if settings.get('annotation') is not None:
        check_annotation(experiment)
    return experiment


def check_top(config: Any) -> None:
    """Refuse an unknown key at the top of a config, and a config that lacks a required one.

    A key is allowed if it is a library setting, or if the text ``'$key'`` stands for its value
    somewhere in the config.

    Args:
        config: The config.

    Raises:
        InvalidInputError: Naming the first such key.
    """
    required, optional = keys_of('')
    known = required | optional
    own = names_in({key: config[key] for key in config})
    for key in config:
        if key not in known | own:
            raise unknown_key(key, 'the config', known)
    for key in SETTINGS:
        if key in required and key not in config:
            raise InvalidInputError(f'the config has no {key!r}')


def check_settings(config: Mapping[str, Any]) -> None:
    """Check the keys of each section of a config, and the values of the library's settings.

    Args:
        config: A complete config.
    """
    for section in ('', *sections()):
        values: Any = config
        for key in section.split('.') if section else ():
            values = values and values.get(key)
        if values is None and not SETTINGS[section.partition('.')[0]].required:
            continue
        if section == 'protocol' and 'type' in values:  # its keys are arguments of that type
            check_part(section, values, STEP_SOURCES)
            continue
        if section:
            check_keys(section, values, *keys_of(section))
        for key in sorted(set.union(*keys_of(section))):
            dotted = f'{section}.{key}' if section else key
            if key in values:
                checked(dotted, values[key], SETTINGS[dotted].rule)
    if 'auxiliary_weight' in config['model']:
        checked('model.auxiliary_weight', config['model']['auxiliary_weight'], NOT_NEGATIVE)
    for key, part in weighted_parts(config['method']).items():
        if isinstance(part, Mapping) and 'loss_weight' in part:
            checked(f'{key}.loss_weight', part['loss_weight'], NOT_NEGATIVE)


def check_types(config: Mapping[str, Any]) -> None:
    """Check that every ``type`` is registered and every other key an argument of its constructor.

    Transforms are built on trial; other parts are not.

    Args:
        config: The config, its names resolved.

    Raises:
        InvalidInputError: Naming the first key that is refused.
    """
    data, method, model = config['data'], config['method'], config['model']
    pipelines = {'data.train_pipeline': data['train_pipeline']}
    pipelines |= {
        f'data.test_pipelines.{name}': steps for name, steps in data['test_pipelines'].items()
    }
    for key, pipeline in pipelines.items():
        check_pipeline(key, pipeline)
    for split in ('train', 'test'):
        check_part(f'data.{split}', data[split], DATASETS, needed=True)
    check_step_data(config['protocol'])
    check_part('model', model, MODELS)
    norm = config.get('norm_cfg', {}).get('type')
    if 'norm_cfg' in config and (not isinstance(norm, str) or part_of(norm, MODELS) is None):
        raise expected('norm_cfg.type', norm, "'BN', 'SyncBN', 'GN', …")
    for key in sorted({*METHOD_PARTS, 'outputs_per_step'} & {*model}):
        raise expected(f'model.{key}', model[key], 'no such key: it comes from method or protocol')
    for key in ('backbone', 'decode_head'):
        check_part(f'model.{key}', model.get(key), MODELS, needed=True)
    for name, head in parts_by_name('model.auxiliary_head', model.get('auxiliary_head')).items():
        check_part(f'model.auxiliary_head.{name}', head, MODELS)
    check_part('method.loss_decode', method['loss_decode'], MODELS, needed=True)
    check_part('method.base_loss', method.get('base_loss'), MODELS)
    check_part('method.classifier_init', method['classifier_init'], MODELS, needed=True)
    labeller = method.get('target_labeller')
    check_part('method.target_labeller', labeller, MODELS)
    refine = (labeller or {}).get('refine')
    if isinstance(refine, Mapping):  # the user's own labeller may mean something else by it
        check_part('method.target_labeller.refine', refine, MODELS)
    for name, term in (method.get('distillation') or {}).items():
        check_part(f'method.distillation.{name}', term, MODELS)
    for name, hook in (method.get('hooks') or {}).items():
        check_method_hook(f'method.hooks.{name}', hook)
    for name, hook in config['custom_hooks'].items():
        check_part(f'custom_hooks.{name}', hook, HOOKS)
    check_part('schedule.optimizer', config['schedule']['optimizer'], OPTIMIZERS)
    check_optimizer(config['schedule']['optimizer'])
    check_part('schedule.lr_schedule', config['schedule'].get('lr_schedule'), PARAM_SCHEDULERS)
    seam = config.get('seam') or {}
    for name in ('model', 'refine'):
        check_part(f'seam.{name}', seam.get(name), MODELS)
    check_image_label_source('seam.image_labels', seam.get('image_labels'))


def check_optimizer(optimizer: Any) -> None:
    """Refuse a learning rate in the optimiser, and a momentum that grows without end."""
    for key, value in optimizer.items():
        if key == 'lr':
            raise expected('schedule.optimizer.lr', value, 'no value: schedule.lr has the rates')
        if key == 'momentum':
            checked('schedule.optimizer.momentum', value, BELOW_1)


def check_same_classes(data: Mapping[str, Any]) -> None:
    """Refuse a test set whose classes are others than those of training, or in another order.

    Before that, the dicts ``metainfo`` and ``data_prefix`` of both sets are checked.

    Args:
        data: The section ``data``; a data set that does not say its classes is left out.

    Raises:
        InvalidInputError: Naming the data set and the key, or the classes of both.
    """
    classes = []
    for split in ('train', 'test'):
        part = dict(data[split])
        kind = part_of(part['type'], DATASETS)
        if not hasattr(kind, 'resolve_metainfo'):
            continue
        with refused_as(f'data.{split}'):
            try:
                classes.append(tuple(declared_metainfo(kind, part)['classes']))
                if hasattr(kind, 'resolve_prefix'):
                    kind.resolve_prefix(part.get('data_prefix'))
            except InvalidInputError as error:
                raise InvalidInputError(f'data.{split}: {error}') from None
    if len(classes) == 2 and classes[0] != classes[1]:
        raise expected(
            'the list of classes of data.test',
            list(classes[1]),
            f'{list(classes[0])}, as data.train',
        )


def check_method_hook(key: str, hook: Any) -> None:
    """Check a hook of ``method.hooks``, which is told its name and the step before."""
    check_part(key, hook, HOOKS)
    if hook is not None and not hasattr(part_of(hook['type'], HOOKS), 'in_base_step'):
        raise expected(f'{key}.type', hook['type'], 'a MethodHook (others go into custom_hooks)')
