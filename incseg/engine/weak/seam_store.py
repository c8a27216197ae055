"""Where SEAM networks and their pseudo-labels are, so that experiments share them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from incseg.datasets.steps.weak_dataset import WeakDataset
from incseg.engine.checkpoint import load_weights, read_step_checkpoint, weights_fingerprint
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.identity import config_hash, digest, named_files
from incseg.engine.recipe.names import names_in
from incseg.engine.weak.seam_config import (
    SeamSettings,
    needs_old_network,
    negatives_digest,
    seam_model_config,
)
from incseg.engine.work_dir import as_written
from incseg.errors import InvalidInputError
from incseg.evaluation.run_settings import flatten, is_free, read_settings
from incseg.models import SEAM
from incseg.protocols import Protocol
from incseg.registry import MODELS

#: what of ``seam`` shapes the network; the rest shapes the labels made by it
NETWORK = ('model', 'scope', 'init_from', 'negatives', 'schedule', 'train_pipeline', 'image_labels')
#: what of ``seam.inference`` only says how fast the labels are made
SPEED = ('batch_size', 'num_threads')
#: settings that shape a network of step 0, from which the backbone may start
STEP_0 = ('model', 'epochs', 'batch_size', 'crop_size')


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
    seam = config['seam']
    settings: dict[str, Any] = {f'seam.{key}': seam.get(key) for key in NETWORK}
    settings['seam.schedule'] = without_free('seam.schedule', seam['schedule'])
    settings['seam.image_labels'] = SeamSettings.of(config).image_labels
    for key in ('pretrained', 'seed', 'image_scale', 'norm_cfg'):
        if key in config:
            settings[key] = config[key]
    settings['schedule.tf32'] = experiment.tf32
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
    read = dict(
        files={**start_files(experiment), **named_files(seam.get('image_labels'))},
        negatives=negatives_digest(experiment, step),
    )
    return {**settings, **{key: value for key, value in read.items() if value}}


def step_0_settings(experiment: Experiment) -> dict[str, Any]:
    """Return the settings that shape step 0, with those that ``model`` names."""
    raw, config = experiment.raw_config, experiment.config
    named = {'width'} | names_in(raw['model'], raw) - {'pretrained', 'norm_cfg'}
    others = {key: config[key] for key in (*STEP_0[1:], *sorted(named)) if key in config}
    return {'model': raw['model'], **others}


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
    return named_files(config['seam']['model']) if config['pretrained'] else {}


def seam_folder(experiment: Experiment, step: int, previous: str | Path | None = None) -> Path:
    """``<seam_dir>/<hash>``, for the network of a step; with scope ``'all'`` there is one for all.

    The hash is taken over :func:`network_settings` and where the data are; that
    they are still the same is checked before the network is used.
    """
    shape = network_settings(experiment, step, previous)
    shape['data_root'] = os.path.realpath(experiment.config['data_root'])
    return Path(experiment.config['seam_dir'], config_hash(shape))


def labels_root(
    experiment: Experiment,
    step: int,
    previous: str | Path | None = None,
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
        refine=seam.refine,
        files=named_files(seam.refine),
        tf32=experiment.tf32,
        protocol=describe_steps(experiment.training if protocol is None else protocol),
    )
    return seam_folder(experiment, step, previous) / f'labels_{config_hash(made_by)}'


def describe_steps(protocol: Protocol) -> dict[str, Any]:
    """What tells the images and classes of a protocol's steps from others, as plain data.

    The order within a step is of no account, and with a single step nor is the
    setting, which is then None.
    """
    return dict(
        name=protocol.name,
        setting=protocol.setting if protocol.num_steps > 1 else None,
        steps=[sorted(classes) for classes in protocol.steps],
    )


FILE = 'seam.pth'
#: what the file's meta holds beside that of every step: the dataset ids of the maps 1..C, which
#: images and classes it was trained on, and whether its backbone started from ImageNet
META = dict(ids=list, scope=str, pretrained=bool, seed=int)


def read_seam_checkpoint(path: str | Path) -> dict[str, Any]:
    """Load a ``seam.pth``: ``{state_dict, meta}``, all keys there.

    ``meta.classes`` are the names of the maps 1..C; ``meta.init_from`` is None,
    ``'step0'`` or a path, see :func:`incseg.engine.weak.seam_training.train_seam`.

    Raises:
        MissingFileError, InvalidInputError: It is not there, damaged, or
            something else.
    """
    content = read_step_checkpoint(path)
    for key, kind in META.items():
        if not isinstance(content['meta'].get(key), kind):
            raise InvalidInputError(f'checkpoint {path} is no {FILE}: it lacks meta.{key}')
    return content


def own_ids(meta: dict[str, Any]) -> list[int]:
    """Dataset ids of the maps that are made into pseudo-labels: without helper classes."""
    helpers = meta.get('helpers', [])
    return [i for i in meta['ids'] if i not in helpers]


def load_seam(experiment: Experiment, path: str | Path) -> tuple[SEAM, dict[str, Any]]:
    """The trained network in evaluation mode, and the checkpoint's ``meta``.

    A network of scope ``'all'`` serves every protocol with the same classes,
    one of scope ``'step'`` every protocol with its step.

    Raises:
        MissingFileError, InvalidInputError: As :func:`read_seam_checkpoint`,
            and if it has other classes or another network than the config's.
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


#: the key, in the folder's config, of what tells the images and their labels from others
IMAGES = 'training images'
#: the key of what tells the weights that its backbone started from
START = 'start'
#: keys that change with files, where the config stays the same
CONTENT = (IMAGES, 'files', 'negatives')


def images_digest(dataset: WeakDataset) -> str:
    """What tells its images and their labels from others: ids, sizes of files, classes."""
    files = [
        (name, size) for name, size, _ in dataset.dataset.file_states(dataset.indices.tolist())
    ]
    return digest([dataset.dataset.image_ids, files, dataset.image_labels.tolist()])


def check_content(settings: Mapping[str, Any], work_dir: Path) -> None:
    """Refuse a folder of the same config, but of files that are others by now."""
    before, now = read_settings(work_dir), dict(flatten(as_written(settings)))
    changed = {
        key.partition('.')[0]
        for key in {*(before or {}), *now} - {START}
        if before is not None and before.get(key) != now.get(key)
    }
    if changed and changed <= set(CONTENT):
        raise InvalidInputError(
            f'{work_dir}: SEAM was trained there on other {", ".join(sorted(changed))} than there '
            'are now; remove that folder to train it anew, or name another one '
            "(train.py: the config's seam_dir, train_seam.py: --work-dir)"
        )


def started_otherwise(started: str | None, work_dir: Path) -> bool:
    """Whether an interrupted training started from other weights than those now given; says so."""
    before = (read_settings(work_dir) or {}).get(START)
    if before is None or before == started:
        return False
    print(
        f'note: the interrupted training of SEAM in {work_dir} started from other weights than '
        'those that seam.init_from now stands for; it begins anew',
        flush=True,
    )
    return True


def notice_other_start(path: Path, experiment: Experiment, step0: str | Path | None) -> None:
    """Say that a finished SEAM started from another step 0 than the one at hand.

    It is used all the same: experiments share it, and step 0 may have been
    trained anew, to weights that differ in the last digits.
    """
    if step0 is None or experiment.config['seam'].get('init_from') != 'step0':
        return
    started = read_seam_checkpoint(path)['meta'].get('init_sha')
    if started is not None and started != weights_fingerprint(step0):
        print(
            f'note: {path} is used as it is; its backbone started from other weights than '
            f'those in {step0}',
            flush=True,
        )
