"""The config of a run that starts from a network that exists: the network's model is taken."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from incseg.apis.config.loading import load_config
from incseg.apis.config.model_base import default_work_dir
from incseg.apis.config.model_swap import with_model_of
from incseg.apis.config.stored import read_stored
from incseg.apis.config.trained import as_config
from incseg.engine.checkpoint import FilePath, StepCheckpoint
from incseg.engine.start_network import recorded_start
from incseg.errors import InvalidInputError
from incseg.evaluation.run_settings import MODEL_BASE


def load_started_config(
    path: str | Path,
    options: Mapping[str, Any],
    start: FilePath | None,
    work_dir: str | Path | None = None,
) -> Config:
    """Load the config of a training; with a network to start from, its model is that network's.

    Args:
        path: A Python config.
        options: Overrides by dotted key; those of ``model`` change the network's model.
        start: The ``final.pth`` that takes the place of step 0; None for none, or for that of an
            earlier run in ``work_dir``.
        work_dir: The run's folder; None for the default one.

    Returns:
        The complete, checked config.

    Raises:
        UserError: A file is missing or wrong, or a setting is; or the options name a base of a
            model beside the network to start from.
    """
    of_model = {key: value for key, value in options.items() if key.partition('.')[0] == 'model'}
    rest = {key: value for key, value in options.items() if key not in of_model}
    file = start
    if file is None:
        config = load_config(path, rest if work_dir is None else options)
        file = recorded_start(Path(work_dir or default_work_dir(config)))
        if file is None:
            return load_config(path, options) if of_model and work_dir is None else config
    if MODEL_BASE in options:
        raise InvalidInputError(
            f'--model {options[MODEL_BASE]} and the start {file} are both given, expected one of '
            'them: a run that starts from a network has its model'
        )
    checkpoint = StepCheckpoint.of(file)
    stored = read_stored(checkpoint)  # None in a file of incseg 0.1, which does not say its model
    if stored is None:
        return load_config(path, options)
    return with_model_of(load_config(path, rest), as_config(stored, checkpoint), of_model)
