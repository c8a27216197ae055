"""``seam.pth``: a trained SEAM network and what its maps mean."""
from pathlib import Path
from typing import Any

from incseg.engine.checkpoint import load_weights, read_step_checkpoint
from incseg.engine.experiment import Experiment
from incseg.engine.seam_config import seam_model_config
from incseg.errors import InvalidInputError
from incseg.models import SEAM
from incseg.registry import MODELS

FILE = 'seam.pth'
#: what the file's meta holds beside that of every step: the dataset ids of the maps 1..C, which
#: images and classes it was trained on, and whether its backbone started from ImageNet
META = dict(ids=list, scope=str, pretrained=bool, seed=int)


def read_seam_checkpoint(path: str | Path) -> dict[str, Any]:
    """Load a ``seam.pth``: ``{state_dict, meta}``, all keys there.

    ``meta.classes`` are the names of the maps 1..C; ``meta.init_from`` is None,
    ``'step0'`` or a path, see :func:`incseg.engine.seam_training.train_seam`.

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
            f"checkpoint {path} knows the classes {', '.join(meta['classes'])} "
            f"(scope {meta['scope']!r}, step {meta['step']}), which this config's protocol "
            f'{protocol.name} does not have there')
    model = MODELS.build(seam_model_config(experiment, len(meta['ids'])))
    load_weights(model, content['state_dict'], path)
    return model.eval(), meta
