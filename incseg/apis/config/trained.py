"""The config that a checkpoint was trained with."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from mmengine.config import Config

from incseg.apis.config.check import check_config
from incseg.apis.config.loading import load_config, override
from incseg.apis.config.schema import evaluated
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.work_dir import as_written
from incseg.errors import InvalidInputError
from incseg.evaluation import Ledger
from incseg.evaluation.run_settings import (
    CONFIG_FILE,
    flatten,
    is_free,
    is_root,
    read_run_config,
)


def load_trained_config(
    path: str | Path, options: Mapping[str, Any], checkpoint: str | Path
) -> tuple[Config, list[str]]:
    """Load a config with the settings that the checkpoint's work dir stores.

    If that run was started from the same config, its settings replace those of the
    file, and the user's ``options`` replace both; so an option of the training need
    not be repeated.  Otherwise the result is that of :func:`load_config`.

    Args:
        path: A Python config.
        options: Overrides by dotted key.
        checkpoint: A step's ``final.pth``, in its work dir or elsewhere.

    Returns:
        The complete config, and lines for the user: the settings that differ from the
        file with these options, or from the training, if an evaluation depends on
        them.

    Raises:
        UserError: As :func:`load_config`, and if the stored config is damaged.
    """
    config = load_config(path, options)
    work_dir = Path(checkpoint).absolute().parent.parent
    stored, ledger = read_run_config(work_dir), Ledger.read(work_dir)
    if stored is None or ledger is None:
        return config, []
    place = f'{work_dir.name}/{CONFIG_FILE}'
    if ledger['config'] != Experiment(config).ledger_header()['config']:
        return config, lines(f'other than in {place}', settings(config), settings(stored))
    trained = with_settings(config, stored, options)
    try:
        check_config(trained)
    except InvalidInputError as error:
        raise InvalidInputError(f'{place}, with which it was trained: {error}') from error
    return trained, [
        *lines(f'as in {place}', settings(trained), settings(config)),
        *lines(f'other than in {place}', settings(trained), settings(stored), options),
    ]


def with_settings(config: Config, stored: Mapping[str, Any], options: Mapping[str, Any]) -> Config:
    """Return the config with the stored settings in place of its own, and the options over them."""
    trained = deepcopy(config)
    written = as_written(config)
    for key, value in stored.items():
        taken = Path(str(value)).exists() if is_root(key) else not is_free(key)
        if taken and written.get(key) != value:
            trained[key] = value
    for key, value in options.items():
        override(trained, key, value)
    return trained


def settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that an evaluation depends on, by dotted key."""
    keys = evaluated(config)
    return {
        key: value for key, value in flatten(as_written(config)) if key.partition('.')[0] in keys
    }


def lines(
    what: str,
    ours: Mapping[str, Any],
    theirs: Mapping[str, Any],
    named: Iterable[str] | None = None,
) -> list[str]:
    """Return a line with the settings that differ, ours first, or no line.

    Args:
        what: The beginning of the line.
        ours: The settings that hold.
        theirs: The settings that do not hold.
        named: The only keys to compare, with those below them; by default all.
    """
    chosen = [
        key
        for key in sorted({*ours, *theirs})
        if ours.get(key) != theirs.get(key)
        and (named is None or any(key == name or key.startswith(f'{name}.') for name in named))
    ]
    if not chosen:
        return []
    return [
        f'{what}: '
        + ', '.join(f'{key} = {ours.get(key)!r} (not {theirs.get(key)!r})' for key in chosen)
    ]
