"""The ``seam`` section of a config: how classes are located from image-level labels."""
from collections.abc import Mapping
from math import isfinite
from typing import Any

from mmengine.registry import DefaultScope, init_default_scope

from incseg.apis.config_parts import build_without_memory, check_part, unknown
from incseg.datasets.weak_dataset import SCOPES
from incseg.engine.experiment import Experiment
from incseg.engine.seam_config import seam_model_config
from incseg.engine.seam_negatives import is_old_network_negatives
from incseg.errors import InvalidInputError, UserError
from incseg.registry import DATASETS, MODELS, SCOPE, TRANSFORMS

KEYS = ({'model', 'scope', 'schedule', 'train_pipeline', 'inference'},
        {'init_from', 'negatives', 'refine', 'image_labels'})
WHOLE = {'epochs', 'batch_size', 'log_interval', 'checkpoint_interval'}
POSITIVE = {'lr', 'head_factor'}
SCHEDULE = {*WHOLE, *POSITIVE, 'momentum', 'weight_decay', 'poly_power', 'amp'}


def check_seam(experiment: Experiment) -> None:
    """Check the section of a config whose other sections were checked.

    Raises:
        InvalidInputError: Naming the first key that is missing, unknown or has
            a value that is not allowed.
    """
    seam = experiment.config['seam']
    check_keys('seam', seam, *KEYS)
    if seam['scope'] not in SCOPES:
        raise InvalidInputError(f"seam.scope is {seam['scope']!r}, allowed: {', '.join(SCOPES)}")
    init_from = seam.get('init_from')
    if init_from is not None and not isinstance(init_from, str):
        raise InvalidInputError(
            f"seam.init_from is {init_from!r}, allowed: None, 'step0' or the path of a final.pth")
    check_schedule(seam['schedule'])
    own = seam['model'].get('type') == 'SEAM'  # another network may lack a part of that name
    for key in ('backbone', 'head'):
        check_part(f'seam.model.{key}', seam['model'].get(key), MODELS,
                   needed=own and key == 'backbone')
    check_part('seam.model', seam['model'], MODELS, needed=True)
    check_negatives(experiment)
    for name, transform in seam['train_pipeline'].items():
        check_part(f'seam.train_pipeline.{name}', transform, TRANSFORMS)
    if DefaultScope.get_current_instance() is None:
        init_default_scope(SCOPE)
    try:
        build_without_memory(seam_model_config(experiment, experiment.protocol.num_classes))
    except UserError:
        raise
    except Exception as error:  # whatever a part's constructor does not like
        raise InvalidInputError(f'seam.model cannot be built: {error}') from error


def check_negatives(experiment: Experiment) -> None:
    """What looks through the network of the step before has one."""
    seam = experiment.config['seam']
    negatives = seam.get('negatives')
    check_part('seam.negatives', negatives, DATASETS)
    if not is_old_network_negatives(negatives):
        return
    kind = negatives['type']
    if seam['scope'] != 'step':
        raise InvalidInputError(
            f"seam.negatives.type is {kind!r}, which looks through the network of the step "
            f"before, and seam.scope is {seam['scope']!r}: expected 'step'")
    if experiment.joint:
        raise InvalidInputError(
            f'seam.negatives.type is {kind!r}, which looks through the network of the step '
            'before; joint training has none, allowed: NegativeFolder, or None')
    DATASETS.build(dict(negatives))


def check_schedule(schedule: Any) -> None:
    """Numbers within their limits."""
    check_keys('seam.schedule', schedule, SCHEDULE, set())
    check_keys('seam.schedule.momentum', schedule['momentum'], {'pretrained', 'scratch'}, set())
    numbers = {f'seam.schedule.{key}': schedule[key] for key in SCHEDULE - {'momentum', 'amp'}}
    numbers |= {f'seam.schedule.momentum.{key}': value
                for key, value in schedule['momentum'].items()}
    for key, value in sorted(numbers.items()):
        name = key.rpartition('.')[2]
        whole, least = name in WHOLE, 1 if name in WHOLE else 0
        ok = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
        if not ok or not isfinite(value) or value < least or (name in POSITIVE and not value):
            kind = 'a whole number of at least 1' if whole else (
                'a number above 0' if name in POSITIVE else 'a number of at least 0')
            raise InvalidInputError(f'{key} is {value!r}, expected {kind}')
    if schedule['amp'] not in (True, False, 'auto'):
        raise InvalidInputError(
            f"seam.schedule.amp is {schedule['amp']!r}, expected True, False or 'auto'")


def check_keys(where: str, section: Any, required: set[str], optional: set[str]) -> None:
    """A section is a dict with these keys."""
    if not isinstance(section, Mapping):
        raise InvalidInputError(f'{where} is {section!r}, expected a dict')
    allowed = {f'{where}.{key}' for key in required | optional}
    for key in section:
        if f'{where}.{key}' not in allowed:
            unknown(f'{where}.{key}', where, allowed)
    for key in sorted(required - set(section)):
        raise InvalidInputError(f"the config has no '{where}.{key}'")
