"""The model that is taught: its classes, its steps, and the images of earlier steps."""

import os
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from mmengine.config import Config

from incseg.apis.config.moved import move_data
from incseg.apis.config.stored import import_modules, read_stored
from incseg.apis.config.trained import as_config
from incseg.engine.checkpoint import StepCheckpoint, is_imported
from incseg.engine.recipe.names import resolve
from incseg.engine.recipe.step_sources import AWAY, OPEN
from incseg.errors import InvalidInputError, UserError
from incseg.registry import DATASETS


class KnownModel:
    """A model that learns a further class: a ``final.pth`` of any step, or an imported one.

    Args:
        path: The file, or the folder that holds it.
        data_root: Where its images are now, see :func:`move_data`; None: where they were.
        imports: Modules of the user's own parts, which are imported first.

    Raises:
        MissingFileError: There is no such file.
        InvalidInputError: It is none of a step's network, or holds no config.

    Attributes:
        checkpoint: The file.
        classes: Names of its classes in learning order, without background.
        imported: Whether it comes from another library.
        config: The config that it was trained with, complete, as it was written; its images
            at their new place.
        moved: A line for each data set that is read elsewhere than in the training.
    """

    def __init__(
        self, path: str | Path, data_root: str | None = None, imports: tuple[str, ...] = ()
    ):
        import_modules(imports)
        file = Path(path) / 'final.pth' if Path(path).is_dir() else Path(path)
        self.checkpoint = StepCheckpoint(file)
        how = f'incseg import {file} --network NAME --classes FILE --out DIR'
        try:
            meta = self.checkpoint.meta
        except InvalidInputError as error:
            raise InvalidInputError(f'{error}; if it is of another library: {how}') from error
        if 'classes' not in meta or 'step' not in meta or meta.get('method') == 'seam':
            raise InvalidInputError(
                f'checkpoint {file} is no network of a step; if it is of another library: {how}'
            )
        self.classes = [str(name) for name in meta['classes'][1:]]
        self.imported = is_imported(meta)
        self.config: Config = as_config(read_stored(self.checkpoint), self.checkpoint)
        self.moved = [] if data_root is None else move_data(self.config, data_root)

    @property
    def step(self) -> int:
        """The step that it has learned last, from 0."""
        step: int = self.checkpoint.meta['step']
        return step

    @property
    def path(self) -> Path:
        """Its file."""
        return Path(self.checkpoint.path)

    def in_words(self) -> str:
        """Return the line about it: network, classes, method, step."""
        backbone = self.config['model']['backbone']
        kind = backbone['type'] + (f' {backbone["name"]}' if 'name' in backbone else '')
        head = self.config['model'].get('decode_head') or {}
        network = f'{kind} with {head["type"]}' if 'type' in head else kind
        trained = f'{self.checkpoint.meta["method"]}, step {self.step}'
        origin = 'imported' if self.imported else trained
        count, names = len(self.classes), listed(self.classes)
        noun = 'class' if count == 1 else 'classes'
        return f'{self.path}: {network}, {count} {noun}: {names} ({origin})'

    def steps(self) -> tuple[dict[str, Any], list[str]]:
        """Return its steps, as an open protocol declares them, and lines about their images.

        A step whose test images cannot be read has ``data=None``: its classes have no score.
        """
        protocol = self.config.get('protocol') or {}
        if protocol.get('name') == OPEN:
            declared = deepcopy(dict(resolve(protocol['steps'], self.config)))
            chosen = dict(list(declared.items())[: self.step + 1])
        else:
            chosen = self._of_outputs()
        told = []
        for step in chosen.values():
            places = [step.get('data', self._own_data()), step.get(AWAY)]
            places = [each for each in places if each is not None]
            found = [images_in_words(each) for each in places]
            there = next((i for i, each in enumerate(found) if not isinstance(each, str)), None)
            if there is None:
                why = found[-1] if found else 'not known'
                told.append(f'images of {listed(step["classes"])}: {why}; they keep no score')
                step['data'] = None
                if places:  # --data-root may find them at a later call
                    step[AWAY] = {key: deepcopy(places[-1][key]) for key in ('train', 'test')}
                continue
            if step.pop(AWAY, None) is not None:
                step['data'] = places[there]
        if not told:
            told.append(f'the test images of {listed(self.classes)} are there')
        return chosen, [*told, *(f'images in {place}' for place in self.moved)]

    def _of_outputs(self) -> dict[str, Any]:
        """Return the steps of a protocol that cuts one data set, or of an imported network."""
        sizes = self.checkpoint.outputs_per_step
        starts = [0, *(sum(sizes[:i]) - 1 for i in range(1, len(sizes) + 1))]
        bounds = zip(starts, starts[1:])
        names = [self.classes[start:stop] for start, stop in bounds]
        return {f'step_{k}': dict(classes=new) for k, new in enumerate(names)}

    def _own_data(self) -> Mapping[str, Any] | None:
        data: Mapping[str, Any] = resolve(self.config['data'], self.config)
        return data if {'train', 'test'} <= {*data} else None


def images_in_words(data: Mapping[str, Any]) -> int | str:
    """Return the number of test images of a step, or why there are none.

    Args:
        data: ``train`` and ``test``, configs of data sets.
    """
    test = data.get('test')
    if not isinstance(test, Mapping):
        test = dict(data['train'], held_out=test, split='val') if test else None
    if test is None:
        return 'none to test on'
    try:
        dataset = DATASETS.build(dict(test))
        dataset.full_init()
    except UserError as error:
        return str(error)
    except (OSError, TypeError) as error:
        return f'{type(error).__name__}: {error}'
    return len(dataset)


def listed(names: list[str], most: int = 6) -> str:
    """Return names as text, of many the first ones and how many more."""
    more = f' and {len(names) - most} more' if len(names) > most else ''
    return ', '.join(names[:most]) + more


def default_out(model: str | Path, classes: list[str]) -> Path:
    """Return the folder of a run: that of the model's run, with the new classes in its name.

    Args:
        model: The model's file.
        classes: Names of the new classes.
    """
    folder = Path(os.path.abspath(model)).parent
    run = folder.parent if folder.name.startswith('step_') else folder
    added = '+'.join(''.join(c if c.isalnum() or c in '._-' else '_' for c in n) for n in classes)
    return Path('work_dirs') / f'{run.name or "model"}+{added}'
