"""Images that a taught model keeps: copies beside its file, shown again when more is taught."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from incseg.apis.teach.known_model import KnownModel
from incseg.datasets import FolderDataset
from incseg.engine.checkpoint import StepCheckpoint
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.recipe.step_sources import AWAY
from incseg.errors import InvalidInputError
from incseg.registry import DATASETS
from incseg.utils.rules import whole_number

#: the folder of the copies, beside ``final.pth``
FOLDER = 'memory'
#: arguments of a folder's data set that say where its files are, which the copies do not share
PLACES = (
    'data_root',
    'split',
    'images',
    'masks',
    'held_out',
    'only_with_masks',
    'img_suffix',
    'seg_map_suffix',
    'data_prefix',
    'partly_labelled',
)


def kept_before(model: KnownModel) -> list[dict[str, Any]]:
    """Return the images that a model keeps for replay, ``{'image', 'steps'}`` each.

    A model without copies beside it keeps none here, whatever its own training had.
    """
    if not (model.path.parent / FOLDER).is_dir():
        return []
    return list(model.checkpoint.meta.get('memory') or [])


def with_memory(config: Config, model: KnownModel, keep: int) -> list[str]:
    """Let a config replay what a model keeps, and keep some images of the step that it adds.

    Args:
        config: The config of the run, before overrides; it is changed.
        model: The model.
        keep: How many images of the new classes are kept; 0 for none.

    Returns:
        Lines for the user.

    Raises:
        InvalidInputError: The number is none, the method chooses by itself what it keeps, or kept
            images are not there.
    """
    whole_number('--keep', keep, 0)
    own = (config['method'].get('memory') or {}).get('size')
    if own:
        if keep:
            raise InvalidInputError(
                f'--keep {keep} and --method {config["method"]["name"]}, which keeps {own} images '
                'by itself, are both given, expected one of them'
            )
        return []
    before = kept_before(model)
    lost = [] if before else list(model.checkpoint.meta.get('memory') or [])
    if keep and lost and model.step:
        raise InvalidInputError(
            f'--keep {keep}: the model keeps {len(lost)} images already, whose copies are not in '
            f'{model.path.parent / FOLDER}; put that folder beside the model, or leave --keep out'
        )
    told = []
    if lost and model.step:
        told.append(
            f'the {len(lost)} images that the model keeps are not in '
            f'{model.path.parent / FOLDER}: none is replayed'
        )
    if not before and not keep:
        return told
    steps = config['protocol']['steps']
    names = list(steps)
    for j in sorted({entry['steps'][0] for entry in before}):
        step = steps[names[j]]
        data = step.get('data') or {}
        copies = copies_of(model.path.parent / FOLDER / str(j), data.get('train') or {}, step)
        step['data'] = dict(train=copies, test=test_of(data))
    memory = dict(size=len(before) + keep, since=model.step + 1)
    config['method'] = dict(config['method'], memory=memory)
    return told


def copies_of(folder: Path, train: Mapping[str, Any], step: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config of the copies of a step's images.

    Args:
        folder: Their folder, with ``images`` and ``masks``.
        train: The config of the images that were copied; empty if they are out of reach.
        step: The step; where its images are out of reach, ``away`` tells how masks are read.

    Raises:
        InvalidInputError: The folder is not there.
    """
    if not folder.is_dir():
        raise InvalidInputError(
            f'the model keeps images of {", ".join(step["classes"])}, but there is no {folder}; '
            'put it back, or remove its parent folder to teach without them'
        )
    was = train or (step.get(AWAY) or {}).get('train') or {}
    kept = {key: value for key, value in was.items() if key not in PLACES}
    ids = kept.get('ids')
    if isinstance(ids, Mapping) and any(isinstance(value, str) for value in ids.values()):
        kept['ids'] = list(ids)  # objects of a JSON file, whose copies are painted in this order
    return dict(kept, data_root=str(folder.absolute()), images='images', masks='masks')


def test_of(data: Mapping[str, Any]) -> Any:
    """Return the test images of a step's ``data`` as a data set of their own, or None."""
    test = data.get('test')
    if test is None or isinstance(test, Mapping):
        return test
    return dict(data['train'], held_out=test, split='val')


def keep_copies(config: Mapping[str, Any], saved: Path) -> int:
    """Copy the images that a taught model keeps, and their masks, into the folder of its file.

    Args:
        config: The run's config.
        saved: The model's ``final.pth``.

    Returns:
        How many images the folder has.
    """
    entries = StepCheckpoint(saved).meta.get('memory') or []
    experiment, built = Experiment(config), {}
    for entry in entries:
        j = entry['steps'][0]
        if j not in built:
            built[j] = DATASETS.build(experiment.sources.data(j, 'train'))
            built[j].full_init()
        copy_pair(built[j], entry['image'], saved.parent / FOLDER / str(j))
    return len(entries)


def copy_pair(dataset: Any, image_id: str, folder: Path) -> None:
    """Copy one image and its mask of a folder's data set; of another data set none is copied."""
    if not isinstance(dataset, FolderDataset):
        return
    entry = next(each for each in dataset.entries() if each['image_id'] == image_id)
    for kind, path in (('images', entry['img_path']), ('masks', entry['seg_map_path'])):
        target = folder / kind / f'{image_id}{os.path.splitext(path)[1]}'
        if not target.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(f'.{target.name}.part')
            shutil.copyfile(path, partial)
            partial.replace(target)


def memory_in_words(
    config: Mapping[str, Any], before: int, classes: Sequence[str], images: int
) -> str:
    """Return what the plan says of images that are replayed and kept."""
    memory = config['method'].get('memory') or {}
    size = memory.get('size') or 0
    if not size:
        return 'no old image is learned from'
    if not memory.get('since'):
        return f'{size} old images are replayed'
    replayed = f'{before} kept images are replayed' if before else 'no old image is learned from'
    new = min(size - before, images)
    return f'{replayed}; {new} of {", ".join(classes)} will be kept' if new else replayed
