"""``seam.pth``: a trained SEAM network and what its maps mean."""
from pathlib import Path
from typing import Any

from incseg.engine.checkpoint import load_weights, read_checkpoint
from incseg.engine.experiment import Experiment
from incseg.engine.seam_config import seam_model_config
from incseg.errors import InvalidInputError
from incseg.models import SEAM
from incseg.registry import MODELS

FILE = 'seam.pth'
#: what the file's meta holds: the names and dataset ids of channels 1..C, which images and
#: classes it was trained on, how its backbone started, and with what
META = dict(classes=list, ids=list, scope=str, step=int, pretrained=bool, seed=int,
            incseg_version=str)


def read_seam_checkpoint(path: str | Path) -> dict[str, Any]:
    """Load a ``seam.pth``: ``{state_dict, meta}``, all keys there.

    ``meta.init_from`` is None, ``'step0'`` or a path; see
    :func:`incseg.engine.seam_training.train_seam`.

    Raises:
        MissingFileError, InvalidInputError: It is not there, damaged, or
            something else.
    """
    content = read_checkpoint(path)
    meta = content.get('meta')
    meta = meta if isinstance(meta, dict) else {}
    missing = [f'meta.{key}' for key, kind in META.items() if not isinstance(meta.get(key), kind)]
    if not isinstance(content.get('state_dict'), dict):
        missing.insert(0, 'state_dict')
    if missing:
        raise InvalidInputError(f'checkpoint {path} is no {FILE}: it lacks {missing[0]}')
    return content


def load_seam(experiment: Experiment, path: str | Path) -> tuple[SEAM, dict[str, Any]]:
    """The trained network in evaluation mode, and the checkpoint's ``meta``.

    Raises:
        MissingFileError, InvalidInputError: As :func:`read_seam_checkpoint`,
            and if it has other classes or another network than the config.
    """
    content = read_seam_checkpoint(path)
    meta = content['meta']
    known = set(experiment.protocol.class_order)
    names = experiment.names(tuple(meta['ids'])) if set(meta['ids']) <= known else None
    if names != meta['classes']:
        raise InvalidInputError(
            f"checkpoint {path} is of another data set: its classes are {meta['classes']}, "
            f'dataset ids {meta["ids"]}')
    model = MODELS.build(seam_model_config(experiment, len(meta['ids'])))
    load_weights(model, content['state_dict'], path)
    return model.eval(), meta
