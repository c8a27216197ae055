"""Where SEAM networks and their pseudo-labels are, so that experiments share them."""
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from incseg.engine.config_hash import config_hash
from incseg.engine.experiment import Experiment
from incseg.engine.named_files import named_files
from incseg.engine.resolve import resolve
from incseg.engine.seam_negatives import needs_old_network, negatives_digest, weights_digest
from incseg.engine.seam_settings import SeamSettings
from incseg.evaluation.run_settings import is_free
from incseg.protocols import Protocol

#: what of ``seam`` shapes the network; the rest shapes the labels made by it
NETWORK = ('model', 'scope', 'init_from', 'negatives', 'schedule', 'train_pipeline', 'image_labels')
#: what of ``seam.inference`` only says how fast the labels are made
SPEED = ('batch_size', 'num_threads')
#: what shapes a network of step 0, from which the backbone may start; and its schedule
STEP_0 = ('model', 'epochs', 'batch_size', 'crop_size', 'width')


def network_settings(
    experiment: Experiment, step: int, previous: str | Path | None = None
) -> dict[str, Any]:
    """All of a config that shapes the network of a step.

    These are the parts of ``seam`` that its training reads, where the backbone
    starts, the images and the seed; the content of the files that these name;
    with scope ``'step'`` also the protocol and the step; and, where
    ``seam.negatives`` looks through it, the network of the step before.

    Args:
        experiment: The experiment.
        step: The step.
        previous: ``final.pth`` of the step before, as soon as it is there.
    """
    config = experiment.config
    seam = resolve(config['seam'], config)
    settings: dict[str, Any] = {f'seam.{key}': seam.get(key) for key in NETWORK}
    settings['seam.schedule'] = without_free('seam.schedule', seam['schedule'])
    settings['seam.image_labels'] = SeamSettings.of(config).image_labels
    for key in ('pretrained', 'seed', 'image_scale', 'norm_cfg'):
        settings[key] = config[key]
    settings['schedule.tf32'] = experiment.tf32
    data = resolve(config['data'], config)['train']
    settings['data.train'] = {key: value for key, value in data.items() if key != 'data_root'}
    if seam['scope'] == 'step':
        protocol = experiment.protocol
        settings['step'] = step
        settings['protocol'] = dict(
            base=protocol.base, increment=protocol.increment, setting=protocol.setting,
            class_order=list(protocol.class_order))
    if needs_old_network(experiment, step):
        settings['network of the step before'] = previous and weights_digest(previous)
    if seam.get('init_from') == 'step0':
        settings['step 0'] = {key: config[key] for key in STEP_0}
        settings['step 0']['schedule'] = without_free('schedule', config['schedule'])
        for key in ('train_pipeline', 'void_as_background'):
            settings['step 0'][f'data.{key}'] = resolve(config['data'], config).get(key)
        settings['step 0']['classes'] = experiment.classes_at(0)
        settings['step 0']['loss'] = config['method']['loss_decode']
    read = dict(files={**start_files(experiment), **named_files(seam.get('image_labels'))},
                negatives=negatives_digest(experiment, step))
    return {**settings, **{key: value for key, value in read.items() if value}}


def without_free(name: str, section: Mapping[str, Any]) -> dict[str, Any]:
    """A section of a config, but for what shapes no result."""
    return {key: value for key, value in section.items() if not is_free(f'{name}.{key}')}


def start_files(experiment: Experiment) -> dict[str, str]:
    """SHA-256 by path of the files that the backbone starts from, without that of step 0.

    These are a checkpoint that ``seam.init_from`` names, or ImageNet weights that
    ``seam.model`` names.
    """
    config = experiment.config
    init_from = config['seam'].get('init_from')
    if init_from is not None:
        return {} if init_from == 'step0' else named_files(init_from)
    return named_files(resolve(config['seam']['model'], config)) if config['pretrained'] else {}


def seam_folder(
    experiment: Experiment, step: int, previous: str | Path | None = None
) -> Path:
    """``<seam_dir>/<hash>``, for the network of a step; with scope ``'all'`` there is one for all.

    The hash is taken over :func:`network_settings` and where the data are; that
    they are still the same is checked before the network is used.
    """
    shape = network_settings(experiment, step, previous)
    shape['data_root'] = os.path.realpath(experiment.config['data_root'])
    return Path(experiment.config['seam_dir'], config_hash(shape))


def labels_root(
    experiment: Experiment, step: int, previous: str | Path | None = None,
    protocol: Protocol | None = None,
) -> Path:
    """``<seam_dir>/<hash>/labels_<hash>``, with ``<protocol>/<step>/`` below.

    The second hash is that of the inference, defaults filled in and without what
    is a matter of speed, of the refinement with the content of its files, and of
    the images and classes of the protocol's steps.

    Args:
        experiment: The experiment.
        step: The step.
        previous: ``final.pth`` of the step before, as soon as it is there.
        protocol: The protocol whose step it is; by default the one that the
            experiment trains.
    """
    seam = SeamSettings.of(experiment.config)
    made_by = dict(
        inference={key: value for key, value in seam.inference.items() if key not in SPEED},
        refine=seam.refine, files=named_files(seam.refine), tf32=experiment.tf32,
        protocol=describe_steps(experiment.training if protocol is None else protocol))
    return seam_folder(experiment, step, previous) / f'labels_{config_hash(made_by)}'


def describe_steps(protocol: Protocol) -> dict[str, Any]:
    """What tells the images and classes of a protocol's steps from others, as plain data.

    The order within a step is of no account, and with a single step nor is the
    setting, which is then None.
    """
    return dict(name=protocol.name, setting=protocol.setting if protocol.num_steps > 1 else None,
                steps=[sorted(classes) for classes in protocol.steps])
