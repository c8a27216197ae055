"""The ``seam`` section of a config: how classes are located from image-level labels."""
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from incseg.apis.config_parts import check_part, unknown
from incseg.apis.config_trial import check_pipeline, try_but_files, try_part
from incseg.datasets.weak_dataset import SCOPES
from incseg.engine.experiment import Experiment
from incseg.engine.seam_config import seam_model_config
from incseg.engine.seam_negatives import is_old_network_negatives
from incseg.engine.seam_settings import SeamSettings
from incseg.errors import InvalidInputError
from incseg.protocols.value_rules import (
    NOT_NEGATIVE,
    POSITIVE,
    Rule,
    check_values,
    is_number,
    whole,
)
from incseg.registry import DATASETS, MODELS

KEYS = ({'model', 'scope', 'schedule', 'train_pipeline', 'inference'},
        {'init_from', 'negatives', 'refine', 'image_labels'})
SCHEDULE: dict[str, Rule] = dict(
    epochs=whole(1), batch_size=whole(1), log_interval=whole(1), checkpoint_interval=whole(1),
    lr=POSITIVE, head_factor=POSITIVE, weight_decay=NOT_NEGATIVE, poly_power=NOT_NEGATIVE,
    amp=(lambda value: isinstance(value, bool) or value == 'auto', "True, False or 'auto'"))
SHARE_KEPT: Rule = (
    lambda value: is_number(value) and 0 <= value < 1, 'a number of at least 0, below 1')
MOMENTUM = dict(pretrained=SHARE_KEPT, scratch=SHARE_KEPT)


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
    check_part('seam.model', seam['model'], MODELS, needed=True)
    own = seam['model']['type'] == 'SEAM'  # another network may lack a part of that name
    for key in ('backbone', 'head'):
        check_part(f'seam.model.{key}', seam['model'].get(key), MODELS,
                   needed=own and key == 'backbone')
    check_negatives(experiment)
    check_pipeline('seam.train_pipeline', seam['train_pipeline'], experiment.config)
    try_part('seam.model', seam_model_config(experiment, experiment.protocol.num_classes), MODELS)
    check_refinement(SeamSettings.of(experiment.config).refine)


def check_refinement(refine: Mapping[str, Any]) -> None:
    """It can be built, and refines.

    A checkpoint that is not there yet is left out: tools/train_affinity.py makes
    it by this very config.  The training looks for it before its first step.
    """
    there = isinstance(refine.get('checkpoint'), str) and Path(refine['checkpoint']).is_file()
    without_files = {
        key: value for key, value in refine.items() if there or key != 'checkpoint'}
    if not hasattr(try_part('seam.refine', without_files, MODELS), 'refine'):
        raise InvalidInputError(
            f"seam.refine.type is {refine['type']!r}, expected a part with a method "
            'refine(image, scores), as NoRefinement, PAMR, DenseCRF or AffinityRandomWalk')


def check_negatives(experiment: Experiment) -> None:
    """What looks through the network of the step before has one."""
    seam = experiment.config['seam']
    negatives = seam.get('negatives')
    try_but_files('seam.negatives', negatives, DATASETS, experiment.config)
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


def check_schedule(schedule: Any) -> None:
    """Numbers within their limits."""
    check_keys('seam.schedule', schedule, {*SCHEDULE, 'momentum'}, set())
    check_values('seam.schedule', schedule, SCHEDULE)
    check_keys('seam.schedule.momentum', schedule['momentum'], set(MOMENTUM), set())
    check_values('seam.schedule.momentum', schedule['momentum'], MOMENTUM)


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
