"""Folders of SEAM networks and their labels, named by hashes so that experiments share them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from incseg.engine.checkpoint import (
    FilePath,
    load_weights,
    read_step_checkpoint,
    weights_fingerprint,
)
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.identity import config_hash, named_files
from incseg.engine.recipe.names import names_in
from incseg.engine.weak.label_settings import SeamSettings
from incseg.engine.weak.seam_config import (
    needs_old_network,
    negatives_fingerprint,
    seam_model_config,
)
from incseg.errors import InvalidInputError
from incseg.evaluation.run_settings import is_free
from incseg.models import SEAM
from incseg.protocols import Protocol
from incseg.registry import MODELS

#: keys of ``seam`` that shape the network; the others shape the labels
NETWORK = ('model', 'scope', 'init_from', 'negatives', 'schedule', 'train_pipeline', 'image_labels')
#: keys of ``seam.inference`` that change only the speed
SPEED = ('batch_size', 'num_threads')
#: settings that shape a network of step 0, from which the backbone may start
STEP_0 = ('model', 'epochs', 'batch_size', 'crop_size')


def network_settings(
    experiment: Experiment, step: int, previous: FilePath | None = None
) -> dict[str, Any]:
    """Return all settings that shape the SEAM network of a step, as plain data.

    * the keys of ``seam`` that its training reads, the start of the backbone, the images and
      the seed;
    * the SHA-256 of the content of the files that they name;
    * with scope ``'step'``, the protocol and the step;
    * if ``seam.negatives`` uses the previous step's network, a hash of its weights.

    Args:
        experiment: The steps, classes and method of a config.
        step: Number of the step, from 0.
        previous: ``final.pth`` of the previous step; None if there is no such file yet.

    Raises:
        MissingFileError: A file does not exist.
    """
    config = experiment.config
    seam = config['seam']
    settings: dict[str, Any] = {f'seam.{key}': seam.get(key) for key in NETWORK}
    settings['seam.schedule'] = without_free('seam.schedule', seam['schedule'])
    settings['seam.image_labels'] = SeamSettings.of(config).image_labels
    for key in ('pretrained', 'seed', 'image_scale', 'norm_cfg'):
        if key in config:
            settings[key] = config[key]
    settings['schedule.tf32'] = experiment.tf32
    if experiment.deterministic:
        settings['schedule.deterministic'] = True
    data = config['data']['train']
    settings['data.train'] = {key: value for key, value in data.items() if key != 'data_root'}
    if seam['scope'] == 'step':
        protocol = experiment.protocol
        settings['step'] = step
        settings['protocol'] = dict(
            base=protocol.base,
            increment=protocol.increment,
            setting=protocol.setting,
            class_order=list(protocol.class_order),
        )
    if needs_old_network(experiment, step):
        settings['network of the step before'] = previous and weights_fingerprint(previous)
    if seam.get('init_from') == 'step0':
        settings['step 0'] = step_0_settings(experiment)
        settings['step 0']['schedule'] = without_free('schedule', config['schedule'])
        for key in ('train_pipeline', 'void_as_background'):
            settings['step 0'][f'data.{key}'] = config['data'].get(key)
        settings['step 0']['classes'] = experiment.classes_at(0)
        settings['step 0']['loss'] = config['method']['loss_decode']
    content = dict(
        files={**start_files(experiment), **named_files(seam.get('image_labels'))},
        negatives=negatives_fingerprint(experiment, step),
    )
    return {**settings, **{key: value for key, value in content.items() if value}}


def step_0_settings(experiment: Experiment) -> dict[str, Any]:
    """Return the settings that shape the network of step 0, those that ``model`` names included."""
    raw, config = experiment.raw_config, experiment.config
    named = {'width'} | names_in(raw['model'], raw) - {'pretrained', 'norm_cfg'}
    others = {key: config[key] for key in (*STEP_0[1:], *sorted(named)) if key in config}
    return {'model': raw['model'], **others}


def without_free(name: str, section: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section of a config without the keys that shape no result, as intervals of logs.

    Args:
        name: Dotted name of the section, as ``'seam.schedule'``.
        section: The section; it is not changed.
    """
    return {key: value for key, value in section.items() if not is_free(f'{name}.{key}')}


def start_files(experiment: Experiment) -> dict[str, str]:
    """Return the SHA-256 of each file that the backbone starts from, by path.

    This is a checkpoint that ``seam.init_from`` names, or ImageNet weights that
    ``seam.model`` names.  Step 0's checkpoint is not included.

    Raises:
        MissingFileError: A file does not exist.
    """
    config = experiment.config
    init_from = config['seam'].get('init_from')
    if init_from is not None:
        return {} if init_from == 'step0' else named_files(init_from)
    return named_files(config['seam']['model']) if config['pretrained'] else {}


def seam_folder(experiment: Experiment, step: int, previous: FilePath | None = None) -> Path:
    """Return ``<seam_dir>/<hash>``, the folder of the SEAM network of a step; it need not exist.

    With scope ``'all'`` it is the same for all steps.  The hash covers
    :func:`network_settings` and the place of the data; their content is compared
    before the network is used.

    Args:
        experiment: The steps, classes and method of a config.
        step: Number of the step, from 0.
        previous: ``final.pth`` of the previous step; None if there is no such file yet.
    """
    shape = network_settings(experiment, step, previous)
    shape['data_root'] = os.path.realpath(experiment.config['data_root'])
    return Path(experiment.config['seam_dir'], config_hash(shape))


def labels_root(
    experiment: Experiment,
    step: int,
    previous: FilePath | None = None,
    protocol: Protocol | None = None,
) -> Path:
    """Return the folder of the pseudo-labels of a step's SEAM network; it need not exist.

    It is ``<seam_dir>/<network>/labels_<inference>``.  The labels themselves lie below it, in
    ``<protocol>/<step>/``.  ``<network>`` is the hash of :func:`seam_folder`.  ``<inference>``
    is a hash of all that turns this network into labels: the options of the inference, but
    for those that change only its speed; the config of the refinement and the content of the
    files that it names; the images and classes of every step of the protocol.

    Args:
        experiment: The steps, classes and method of a config.
        step: The step whose network makes the labels.
        previous: The ``final.pth`` of the step before, which enters ``<network>``; None if
            there is no such file yet.
        protocol: The protocol that the labels are for; by default the one that the
            experiment trains.
    """
    seam = SeamSettings.of(experiment.config)
    settings = dict(
        inference={key: value for key, value in seam.inference.items() if key not in SPEED},
        refine=seam.refine,
        files=named_files(seam.refine),
        tf32=experiment.tf32,
        **(dict(deterministic=True) if experiment.deterministic else {}),
        protocol=describe_steps(experiment.training_protocol if protocol is None else protocol),
    )
    return seam_folder(experiment, step, previous) / f'labels_{config_hash(settings)}'


def describe_steps(protocol: Protocol) -> dict[str, Any]:
    """Return the name, setting and classes of a protocol's steps as plain data.

    Protocols with equal descriptions have equal images and classes at every step: the
    classes of a step are sorted, and the setting of a single step, which has all
    images, is None.
    """
    return dict(
        name=protocol.name,
        setting=protocol.setting if protocol.num_steps > 1 else None,
        steps=[sorted(classes) for classes in protocol.steps],
    )


#: name of the checkpoint in a folder of SEAM
FILE = 'seam.pth'
#: keys of the checkpoint's meta in addition to those of every step: dataset ids of the maps 1..C,
#: scope of the images and classes, start of the backbone, seed
META = dict(ids=list, scope=str, pretrained=bool, seed=int)


def read_seam_checkpoint(path: str | Path) -> dict[str, Any]:
    """Load ``{state_dict, meta}`` of a ``seam.pth`` and check the keys of ``meta``.

    See :func:`incseg.engine.weak.seam_training.train_seam` for ``meta``.

    Raises:
        MissingFileError: The file does not exist.
        InvalidInputError: The file is damaged or is not a checkpoint of SEAM.
    """
    content = read_step_checkpoint(path)
    for key, kind in META.items():
        if not isinstance(content['meta'].get(key), kind):
            raise InvalidInputError(f'checkpoint {path} is no {FILE}: it lacks meta.{key}')
    return content


def own_ids(meta: dict[str, Any]) -> list[int]:
    """Return the dataset ids of the classes that become pseudo-labels, without helper classes.

    Args:
        meta: ``meta`` of a ``seam.pth``.
    """
    helpers = meta.get('helpers', [])
    return [i for i in meta['ids'] if i not in helpers]


def load_seam(experiment: Experiment, path: str | Path) -> tuple[SEAM, dict[str, Any]]:
    """Return a trained SEAM network in evaluation mode, and ``meta`` of its checkpoint.

    A network of scope ``'all'`` fits every protocol with the same classes, one of
    scope ``'step'`` every protocol with the same classes at its step.

    Args:
        experiment: The experiment, with the network's config.
        path: The ``seam.pth``.

    Raises:
        MissingFileError: The file does not exist.
        InvalidInputError: It is damaged, no checkpoint of SEAM, or has other classes
            or another network than the config.
    """
    content = read_seam_checkpoint(path)
    meta, protocol = content['meta'], experiment.protocol
    expected = set(protocol.class_order)
    if meta['scope'] == 'step':
        expected = set(protocol.new(meta['step'])) if meta['step'] < protocol.num_steps else set()
    own = own_ids(meta)
    names = experiment.names(tuple(meta['ids'])) if set(own) == expected else None
    if names != meta['classes']:
        raise InvalidInputError(
            f'checkpoint {path} knows the classes {", ".join(meta["classes"])} '
            f"(scope {meta['scope']!r}, step {meta['step']}), which this config's protocol "
            f'{protocol.name} does not have there'
        )
    model = MODELS.build(seam_model_config(experiment, len(meta['ids'])))
    load_weights(model, content['state_dict'], path)
    return model.eval(), meta
