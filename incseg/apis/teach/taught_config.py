"""The config of a run that teaches a model: its own settings, with one step more."""

import math
import re
from collections.abc import Container, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from incseg.apis.config.loading import override
from incseg.apis.config.schema import DEFAULTS, SETTINGS
from incseg.apis.folder.config import iterations
from incseg.apis.teach.kept_images import kept_before, with_memory
from incseg.apis.teach.known_model import KnownModel
from incseg.apis.teach.new_images import NewImages
from incseg.engine.recipe.names import names_in
from incseg.engine.recipe.step_sources import OPEN
from incseg.utils.repository import library_files
from incseg.utils.rules import any_of, expected, whole_number

#: images of a batch without and with a GPU
BATCHES = (8, 16)
#: rate of SGD with a batch of 16, and what is frozen: few images of a new place spoil the norms'
#: statistics, and frozen norms need a smaller rate (docs/teach.md)
RATE, ITS_BATCH, FROZEN = 0.002, 16, ('norm',)
#: settings of the model's own training that a further step does not share
OF_ITS_TRAINING = ('seam', 'annotation', 'warmup_epochs', 'epochs', 'protocol', 'method')
#: keys of its schedule that belong to parts of its method
OF_ITS_METHOD = ('lr_factors', 'lr_schedule')


@dataclass(frozen=True)
class Effort:
    """How long a step is trained.

    Attributes:
        epochs: Passes over its images.
        batch_size: Images of a batch.
        iterations: Number of batches.
        rate: Learning rate at the beginning.
        minutes: How long it is expected to take; None where nobody measured.
    """

    epochs: int
    batch_size: int
    iterations: int
    rate: float
    minutes: float | None = None


def effort(
    model: KnownModel, images: NewImages, epochs: int | None, batch_size: int | None
) -> Effort:
    """Choose epochs, batch and learning rate for the images.

    The iterations grow with the root of the images: effort grows slower than data.  The rate
    grows with the batch; with another optimiser than SGD it is that of the model's later steps.

    Args:
        model: The model.
        images: The new images.
        epochs, batch_size: The user's own choice; None leaves it to this function.

    Raises:
        InvalidInputError: One of them is no number from 1.
    """
    if epochs is not None:
        epochs = whole_number('--epochs', epochs, 1)
    if batch_size is not None:
        batch_size = whole_number('--batch-size', batch_size, 1)
    batch = batch_size or min(BATCHES[torch.cuda.is_available()], images.number)
    schedule = model.config.get('schedule') or {}
    before, its_batch = RATE, ITS_BATCH
    if (schedule.get('optimizer') or {}).get('type', 'SGD') != 'SGD':
        before, its_batch = schedule['lr']['added'], model.config['batch_size']
    per_epoch = max((images.number + len(kept_before(model))) // batch, 1)
    chosen = epochs or math.ceil(iterations(images.number) / per_epoch)
    return Effort(chosen, batch, chosen * per_epoch, before * batch / its_batch)


def taught_config(
    model: KnownModel,
    images: NewImages,
    classes: tuple[str, ...],
    method: str,
    chosen: Effort,
    options: Mapping[str, Any],
    seed: int,
    keep: int = 0,
) -> tuple[Config, list[str]]:
    """Return the config, not checked yet, and lines about the images of earlier steps.

    Args:
        model: The model.
        images: The new images.
        classes: Names of the new classes.
        method: Name of a base of ``configs/_base_/methods``.
        chosen: See :func:`effort`.
        options: Overrides by dotted key.
        seed: The seed.
        keep: How many of the new images are kept for replay.

    Raises:
        InvalidInputError: There is no such method or key, or kept images are not there.
    """
    config = imported_config(model, images) if model.imported else own_config(model)
    config['method'] = method_of_base(method)
    config['method'].setdefault('frozen', list(FROZEN))
    steps, told = model.steps()
    steps[step_name(classes, steps)] = dict(
        classes=list(classes), data=dict(train=images.train, test=images.test)
    )
    config['protocol'] = dict(name=OPEN, steps=steps)
    told += with_memory(config, model, keep)
    rate = dict(config['schedule']['lr'], added=chosen.rate)
    config['schedule']['lr'] = rate
    config['epochs'], config['batch_size'], config['seed'] = chosen.epochs, chosen.batch_size, seed
    new: set[str] = set()
    for key, value in options.items():
        override(config, key, value, new)
    return config, told


def step_name(classes: Sequence[str], taken: Container[str]) -> str:
    """Return the name of the step that learns some classes; no other step has it.

    Args:
        classes: Names of the classes.
        taken: Names of the other steps.
    """
    plain = re.sub(r'[^A-Za-z0-9_-]+', '_', '-'.join(classes)).strip('_-')
    name = plain if plain not in ('', 'type') else 'taught'
    while name in taken:
        name += '_2'
    return name


def own_config(model: KnownModel) -> Config:
    """Return the settings of a model's training that hold for a further step.

    Settings of its own that only left-out sections name are left out, too.
    """
    config = Config({k: deepcopy(v) for k, v in model.config.items() if k not in OF_ITS_TRAINING})
    for key in OF_ITS_METHOD:
        config['schedule'].pop(key, None)
    named = names_in(dict(config))
    for key in [key for key in config if key not in SETTINGS and key not in named]:
        config.pop(key)
    return config


def imported_config(model: KnownModel, images: NewImages) -> Config:
    """Return the settings for a model that knows neither a data set nor a training."""
    config = Config(deepcopy(DEFAULTS))
    for part in ('data/folder', 'schedules/folder'):
        for key, value in Config.fromfile(bases() / f'{part}.py').items():
            config[key] = deepcopy(value)
    data = dict(config['data'], name='taught')
    config['data'] = dict(data, train=images.train, test=images.test or images.train)
    for key in ('model', 'image_scale', 'eval_mode', 'pretrained'):
        config[key] = deepcopy(model.config[key])
    own = ('images', 'masks', 'ids', 'classes', 'others', 'train_split', 'test_split', 'held_out')
    named = names_in({key: value for key, value in config.items() if key not in own})
    for key in (*own, 'exif'):
        if key not in named:
            config.pop(key, None)
    return config


def method_of_base(name: str) -> dict[str, Any]:
    """Return the section ``method`` of a base in ``configs/_base_/methods``.

    Raises:
        InvalidInputError: There is no such base.
    """
    found = {p.stem: Config.fromfile(p)['method'] for p in (bases() / 'methods').glob('*.py')}
    usable = {k: v for k, v in found.items() if not (v.get('joint') or v.get('image_labels'))}
    if name not in usable:
        why = ''
        if name in found:
            what = 'all classes at once' if found[name].get('joint') else 'image-level labels'
            why = f'; {name} learns from {what}'
        raise expected('--method', name, f'{any_of(sorted(usable))}{why}')
    method: dict[str, Any] = deepcopy(usable[name])
    return method


def base_names(kind: str) -> list[str]:
    """Return the names of the bases of one kind, such as ``'seam'``."""
    return sorted(path.stem for path in (bases() / kind).glob('*.py'))


def bases() -> Path:
    """Return the folder of the bases of configs."""
    return library_files() / 'configs/_base_'
