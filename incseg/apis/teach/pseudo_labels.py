"""Label maps of images whose labels are classes: SEAM learns where the classes are."""

import json
import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config

from incseg.apis.config.check import check_config
from incseg.apis.config.loading import override
from incseg.apis.folder.config import iterations, network_at_hand
from incseg.apis.inference import init_model
from incseg.apis.teach.known_model import KnownModel
from incseg.apis.teach.new_images import built
from incseg.apis.teach.tagged_images import TAGS, TaggedImages
from incseg.apis.teach.taught_config import base_names, bases, imported_config, own_config
from incseg.datasets.label_maps.label_file import read_label_file
from incseg.datasets.negatives.old_network import NoNegativesError
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.weak.old_network import OldNetwork
from incseg.engine.weak.pseudo_labels import pseudo_label_job
from incseg.engine.weak.seam_training import train_seam
from incseg.errors import InvalidInputError
from incseg.utils.files import write_atomically
from incseg.utils.rules import any_of, expected

#: the option that names a base of configs/_base_/seam, and how options of that base begin
BASE, OPTION = 'seam', 'seam.'
#: the folder of SEAM beside the label maps
WORK = 'seam'


def seam_options(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Divide options into those of SEAM and all others."""
    of_seam = {k: v for k, v in options.items() if k == BASE or k.startswith(OPTION)}
    return of_seam, {k: v for k, v in options.items() if k not in of_seam}


def seam_config(
    model: KnownModel,
    images: TaggedImages,
    classes: Sequence[str],
    folder: Path,
    options: Mapping[str, Any],
    seed: int,
) -> Config:
    """Return the config of the SEAM training, complete and checked.

    Its data set has the new classes, in one step.  Where only the old network can tell what the
    classes are not, the old classes come first, in a step of their own.

    Args:
        model: The model.
        images: The images.
        classes: Names of the new classes.
        folder: The folder of the label maps.
        options: ``seam``, the name of a base of ``configs/_base_/seam``, and overrides
            ``seam.…`` by dotted key.
        seed: The seed.

    Raises:
        InvalidInputError: There is no such base or key, or a value is not allowed.
    """
    config = imported_config(model, images) if model.imported else own_config(model)
    name, pretrained = seam_base(config, options.get(BASE))
    names = [*model.classes, *classes] if images.old_network else list(classes)
    source = dict(images.source, ids=names)
    data = dict(config['data'], name='taught', train=source, test=source)
    config['data'], config['pretrained'], config['seed'] = data, pretrained, seed
    config['protocol'] = dict(name=images.protocol)
    config['epochs'] = 1
    config['method'] = deepcopy(Config.fromfile(bases() / 'methods/mib.py')['method'])
    seam = deepcopy(Config.fromfile(bases() / f'seam/{name}.py')['seam'])
    seam['scope'] = 'step' if images.old_network else 'all'
    seam['image_labels'] = dict(type='JSONImageLabels', path=str(folder / TAGS))
    if images.old_network:
        seam['negatives'] = dict(type='OldModelLabels')
    elif images.negatives is not None:
        negatives = dict(type='NegativeFolder', folder=str(Path(images.negatives).absolute()))
        seam['negatives'] = dict(negatives, share=images.share)
    batch = min(seam['schedule']['batch_size'], images.number)
    seam['schedule']['batch_size'] = batch
    seam['schedule']['epochs'] = math.ceil(iterations(images.number) * batch / images.number)
    seam['inference']['scores'] = False
    config['seam'] = seam
    new: set[str] = set()
    for key, value in options.items():
        if key != BASE:
            override(config, key, value, new)
    check_config(config)
    return config


def seam_base(config: Mapping[str, Any], chosen: Any) -> tuple[str, Any]:
    """Return the base of SEAM's network, and whether it starts from ImageNet weights.

    Args:
        config: The model's config.
        chosen: What the user chose; None: EfficientNet-Lite0 where its weights are at hand,
            else a ResNet-50.

    Raises:
        InvalidInputError: There is no such base.
    """
    if chosen is not None:
        if chosen not in base_names('seam'):
            raise expected('seam', chosen, any_of(base_names('seam')))
        return str(chosen), False if chosen == 'shapes' else bool(config['pretrained'])
    if network_at_hand() == ('bisenet_lite0', True):
        return 'lite0', True
    return 'r50', bool(config['pretrained'])


class TaughtNetwork(OldNetwork):
    """The model that is taught, as it looks for old classes in images of the new ones.

    Args:
        model: The model.
        experiment: The experiment of SEAM, whose classes begin with the model's.
        device: As for :func:`init_model`.
    """

    def __init__(self, model: KnownModel, experiment: Experiment, device: str | None = None):
        self.scale = experiment.config['image_scale']
        self.tf32, self.deterministic = experiment.tf32, experiment.deterministic
        self.device = torch.device(device or ('cuda' if torch.cuda.is_available() else 'cpu'))
        self.model = init_model(str(model.path), device=str(self.device))
        self.ids = np.arange(1 + len(model.classes), dtype=np.uint8)


def make_pseudo_labels(
    config: Config,
    model: KnownModel,
    images: TaggedImages,
    classes: Sequence[str],
    folder: Path,
    device: str | None = None,
) -> str:
    """Train SEAM, and write a label map of every image to learn from into a folder.

    What an interrupted call has made is used.

    Args:
        config: See :func:`seam_config`.
        model: The model.
        images: The images.
        classes: Names of the new classes.
        folder: The folder of the label maps; SEAM lies in ``seam`` below it.
        device: As for :func:`init_model`.

    Returns:
        A line about the label maps.

    Raises:
        InvalidInputError: Nothing tells what a class looks like, or SEAM finds it nowhere; or the
            folder holds label maps of other images or settings.
    """
    text = json.dumps(images.tags, indent=0, ensure_ascii=False) + '\n'
    write_atomically(folder / TAGS, text.encode())
    experiment = Experiment(config)
    old = TaughtNetwork(model, experiment, device) if images.old_network else None
    step = 0 if old is None else 1
    previous = None if old is None else model.path
    try:
        seam = train_seam(
            experiment, step, folder / WORK, resume=True, previous=previous, old_network=old
        )
    except NoNegativesError as error:
        raise nothing_tells(images, classes) from error
    files = pseudo_label_job(experiment, seam, folder, step=step, resume=True)
    names = [name for name in built(images.source).image_ids if images.tags[name]]
    maps = {name: read_label_file(files.label_path(name)) for name in names}
    found = []
    for i, name in enumerate(classes, 1 + len(model.classes) if images.old_network else 1):
        shares = [float((maps[each] == i).mean()) for each in names if name in images.tags[each]]
        there = sum(share > 0 for share in shares)
        if not there:
            raise InvalidInputError(
                f'SEAM finds {name!r} in none of the {len(shares)} images that show it, so there '
                'is nothing to learn from; expected more images, negatives that differ from them '
                'in the class alone, or --cfg-options seam.schedule.epochs=N with more epochs'
            )
        share = 100 * sum(shares) / len(shares)
        found.append(f'{name} in {there} of {len(shares)} images, on {share:.0f} % of their pixels')
    return f'SEAM finds {"; ".join(found)}'


def seam_in_words(config: Mapping[str, Any], images: TaggedImages) -> str:
    """Return the line about the training of SEAM that is to come."""
    schedule, backbone = config['seam']['schedule'], config['seam']['model']['backbone']
    kind = backbone['type'] + ''.join(f' {backbone[k]}' for k in ('name', 'depth') if k in backbone)
    return (
        f'SEAM ({kind}) learns where the classes are, {schedule["epochs"]} epochs, batch '
        f'{schedule["batch_size"]}; its label maps are in place of masks'
    )


def nothing_tells(images: TaggedImages, classes: Sequence[str]) -> InvalidInputError:
    """Return the error where every image shows a class and the old network finds no other one."""
    name = next(n for n in classes if all(n in each for each in images.tags.values()))
    article = 'an' if name[:1].lower() in 'aeiou' else 'a'
    return InvalidInputError(
        f'each of the {len(images.tags)} images shows {name!r}, so nothing tells what {article} '
        f'{name} is; expected --negatives DIR'
    )
