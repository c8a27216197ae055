"""Check the sections on weak labels: ``annotation``, ``method.image_labels`` and ``seam``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from incseg.apis.config.parts import (
    TRIAL_ITERS,
    check_image_label_source,
    check_part,
    check_pipeline,
    check_schedule,
    refused_as,
    try_but_files,
    try_part,
)
from incseg.engine.labels import all_labels
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.step import schedule_config
from incseg.engine.weak.label_settings import SeamSettings
from incseg.engine.weak.seam_config import is_old_network_negatives, seam_model_config
from incseg.errors import InvalidInputError
from incseg.registry import DATASETS, MODELS, PARAM_SCHEDULERS, STEP_LABELS, part_of
from incseg.utils.rules import checked, expected, one_of, whole


def check_annotation(experiment: Experiment) -> None:
    """Check the section ``annotation``: its type is registered and knows the other keys.

    Args:
        experiment: The experiment, whose config has the section.

    Raises:
        InvalidInputError: Naming the first key that is missing, unknown or has
            a value that is not allowed.
    """
    section = experiment.config['annotation']
    if 'steps' not in section:
        raise InvalidInputError("the config has no 'annotation.steps'")
    checked('annotation.steps', section['steps'], one_of('added', 'all'))
    options = {key: value for key, value in section.items() if key != 'steps'}
    check_part('annotation', {'type': 'PseudoLabels', **options}, STEP_LABELS, needed=True)
    with refused_as('annotation'):
        all_labels(experiment)


def check_step_data(protocol: Mapping[str, Any]) -> None:
    """Check the data sets of the steps of an open protocol, as far as they are dicts.

    What the steps are is checked where they are read.

    Args:
        protocol: The section, its names resolved.

    Raises:
        InvalidInputError: Naming the key of a data set that is no registered type, or has an
            argument that it does not know.
    """
    steps = protocol.get('steps')
    for name, step in steps.items() if isinstance(steps, Mapping) else ():
        data = step.get('data') if isinstance(step, Mapping) else None
        for split, part in data.items() if isinstance(data, Mapping) else ():
            if isinstance(part, Mapping):
                check_part(f'protocol.steps.{name}.data.{split}', part, DATASETS, needed=True)


def check_image_labels(config: Mapping[str, Any]) -> None:
    """Check that image-level labels are given exactly if the method's labeller learns from them.

    Args:
        config: The config, its names resolved.

    Raises:
        InvalidInputError: Naming the key under ``method`` that does not fit.
    """
    method = config['method']
    labels = method.get('image_labels')
    labeller = (method.get('target_labeller') or {}).get('type')
    check_image_label_source('method.image_labels', labels)
    try_but_files('method.negatives', method.get('negatives'), DATASETS)
    kind = part_of(labeller, MODELS)
    takes = getattr(kind, 'takes_image_labels', False)
    if takes and labels is None:
        raise expected(
            'method.image_labels',
            None,
            f"a source for {labeller}, which learns from them, as dict(type='MaskImageLabels')",
        )
    if labels is not None and not takes:
        raise expected(
            'method.target_labeller.type' if labeller else 'method.target_labeller',
            labeller,
            "a labeller that learns from method.image_labels, as 'OnlineLocaliser', or no "
            'image_labels',
        )
    if labels is not None and method.get('memory'):
        raise InvalidInputError(
            'method.image_labels and method.memory do not go together: a step that learns from '
            'image-level labels has no use for the masks of earlier images'
        )
    if is_old_network_negatives(method.get('negatives')):
        raise expected(
            'method.negatives.type',
            method['negatives']['type'],
            "'NegativeFolder', or no negatives (this type is for seam.negatives only)",
        )
    if method.get('negatives') is not None and labels is None:
        raise InvalidInputError('method.negatives are for method.image_labels, which is None')


def check_warmup(experiment: Experiment) -> None:
    """Check that every added step goes on after ``warmup_epochs``, and after a labeller's start.

    With a localiser the network itself does not learn within these first epochs.

    Args:
        experiment: The experiment.

    Raises:
        InvalidInputError: Naming ``warmup_epochs``, or the first step that is too short.
    """
    warmup = experiment.config.get('warmup_epochs', 0)
    checked('warmup_epochs', warmup, whole(0))
    labeller = experiment.config['method'].get('target_labeller') or {}
    limits = {'warmup_epochs': warmup}
    if isinstance(labeller, Mapping) and isinstance(labeller.get('start_epoch'), int):
        limits['method.target_labeller.start_epoch'] = labeller['start_epoch']
    reason = (
        'only the localiser learns' if labeller else 'the learning rate does not fall (warm-up)'
    )
    for k in range(1, experiment.num_steps):
        epochs = experiment.epochs(k)
        for key, limit in limits.items():
            if limit >= epochs:
                fewer = f'--cfg-options {key}={epochs - 1}' + (' or less' if epochs > 1 else '')
                raise InvalidInputError(
                    f'step {k} has {epochs} epoch(s), all of them within {key} = {limit}, in which '
                    f'{reason}: pass --epochs {limit + 1} or more, or {fewer}'
                )


def check_seam(experiment: Experiment) -> None:
    """Check the section ``seam``; the other sections were checked before.

    Args:
        experiment: The experiment, whose config has the section.

    Raises:
        InvalidInputError: Naming the first key that is missing, unknown or has
            a value that is not allowed.
    """
    seam = experiment.config['seam']
    schedule = seam['schedule']
    choice = schedule.get('lr_schedule')
    check_part('seam.schedule.lr_schedule', choice, PARAM_SCHEDULERS)
    if choice is not None:
        check_schedule(
            'seam.schedule.lr_schedule',
            schedule_config(choice, TRIAL_ITERS, power=schedule['poly_power']),
        )
    check_part('seam.model', seam['model'], MODELS, needed=True)
    own = seam['model']['type'] == 'SEAM'  # another network may lack a part of that name
    for key in ('backbone', 'head'):
        check_part(
            f'seam.model.{key}', seam['model'].get(key), MODELS, needed=own and key == 'backbone'
        )
    check_negatives(experiment)
    check_pipeline('seam.train_pipeline', seam['train_pipeline'])
    try_part('seam.model', seam_model_config(experiment, experiment.protocol.num_classes), MODELS)
    check_refinement(SeamSettings.of(experiment.config).refine)


def check_refinement(refine: Mapping[str, Any]) -> None:
    """Check that the refinement of ``seam`` can be built and has a method ``refine``.

    A checkpoint that it names need not exist yet: ``incseg affinity`` makes it with
    this very config.  The training looks for it before its first step.

    Args:
        refine: The value of ``seam.refine``.

    Raises:
        InvalidInputError: Naming ``seam.refine``.
    """
    there = isinstance(refine.get('checkpoint'), str) and Path(refine['checkpoint']).is_file()
    without_files = {key: value for key, value in refine.items() if there or key != 'checkpoint'}
    if not hasattr(try_part('seam.refine', without_files, MODELS), 'refine'):
        raise expected(
            'seam.refine.type',
            refine['type'],
            'a part with a method refine(image, scores), as NoRefinement, PAMR, DenseCRF or '
            'AffinityRandomWalk',
        )


def check_negatives(experiment: Experiment) -> None:
    """Refuse negatives that look through the previous step's network where there is no such step.

    Args:
        experiment: The experiment, whose config has the section ``seam``.

    Raises:
        InvalidInputError: Naming ``seam.scope`` or ``seam.negatives.type``.
    """
    seam = experiment.config['seam']
    negatives = seam.get('negatives')
    try_but_files('seam.negatives', negatives, DATASETS)
    if not is_old_network_negatives(negatives):
        return
    kind = negatives['type']
    if seam['scope'] != 'step':
        raise expected(
            'seam.scope',
            seam['scope'],
            f"'step': seam.negatives.type is {kind!r}, which uses the previous step's network",
        )
    if experiment.joint:
        raise expected(
            'seam.negatives.type',
            kind,
            "'NegativeFolder', or no negatives: joint training has no previous step",
        )
