"""The config that a checkpoint is used with: that of its training, and what the user changes."""

import warnings
from collections.abc import Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from mmengine.config import Config

from incseg.apis.config.check import check_config
from incseg.apis.config.loading import load_config, override
from incseg.apis.config.model_swap import with_model_of
from incseg.apis.config.moved import DATA_ROOT, move_data, steps_of
from incseg.apis.config.schema import DEFAULTS, evaluated
from incseg.apis.config.stored import StoredConfig, import_modules, read_stored
from incseg.engine.checkpoint import FilePath, StepCheckpoint, is_imported, stored_config
from incseg.engine.recipe.experiment import Experiment
from incseg.engine.work_dir import as_written
from incseg.errors import InvalidInputError
from incseg.evaluation.run_settings import MODEL_BASE, flatten, is_free, is_root
from incseg.utils.rules import expected

#: how many settings a line names
MOST = 12
#: how a line begins that names settings on which a score depends, and one that names folders
OTHER, ELSEWHERE = 'other than in', 'data elsewhere than in'


def load_trained_config(
    path: str | Path | None,
    options: Mapping[str, Any],
    checkpoint: FilePath,
    imports: Iterable[str] = (),
) -> tuple[Config, list[str]]:
    """Load a config with the settings that a training stored with its checkpoint.

    The checkpoint itself holds them; one of incseg 0.1 has them in its work dir.  If the
    training was started from the same config, its settings replace those of the file, and the
    user's ``options`` replace both; so an option of the training need not be repeated.
    Otherwise the result is that of :func:`load_config`.

    Args:
        path: A Python config; None for what the training stored.
        options: Overrides by dotted key.
        checkpoint: A step's ``final.pth``, in its work dir or elsewhere.
        imports: Modules of the user's own parts, which are imported first.

    Returns:
        The complete config, and lines for the user: the settings that differ from the
        file with these options, or from the training, if an evaluation depends on
        them.

    Raises:
        UserError: The config file is missing or wrong, or the stored config is damaged or holds
            more than registered parts.
    """
    import_modules(imports)
    stored = read_stored(StepCheckpoint.of(checkpoint))
    if stored is not None:
        options = {**options, **same_model(stored, options.get(MODEL_BASE))}
    if path is None:
        options = {key: value for key, value in options.items() if key != MODEL_BASE}
        return stored_alone(stored, options, checkpoint)
    config = load_config(path, options)
    if stored is None:
        return config, []
    if holds_imported(checkpoint):
        return with_model_of(config, as_config(stored, checkpoint), options), []
    if stored.name != Experiment(config).ledger_header()['config']:
        return config, differences(config, stored)
    stored.check()
    trained = with_settings(config, stored.settings, options)
    checked_as_trained(trained, stored.place)
    theirs = settings(stored.settings)
    return trained, [
        *lines(f'as in {stored.place}', settings(trained), settings(config)),
        *lines(f'{OTHER} {stored.place}', settings(trained), theirs, options),
    ]


def holds_imported(checkpoint: FilePath) -> bool:
    """Return whether a file is there and holds an imported network that no run has taken yet."""
    file = StepCheckpoint.of(checkpoint)
    return file.path.is_file() and is_imported(file.meta)


def same_model(stored: StoredConfig, chosen: Any) -> dict[str, Any]:
    """Return the option that chooses the network of the training; none if that chose none.

    Raises:
        InvalidInputError: The user names another one.
    """
    trained = stored.settings.get(MODEL_BASE)
    if chosen is not None and chosen != trained:
        what = 'none' if trained is None else repr(trained)
        raise expected('--model', chosen, f'{what}, as {stored.place} was trained')
    return {} if trained is None else {MODEL_BASE: trained}


def stored_alone(
    stored: StoredConfig | None, options: Mapping[str, Any], checkpoint: FilePath
) -> tuple[Config, list[str]]:
    """Return the stored config with the user's options, and a line for those that differ."""
    config = as_config(stored, checkpoint)
    if holds_imported(checkpoint):
        raise InvalidInputError(
            f'checkpoint {checkpoint} was imported and knows no data set: name a config too, '
            f'incseg test CONFIG {checkpoint}'
        )
    theirs, told, options = settings(config), [], dict(options)
    if DATA_ROOT in options and steps_of(config):  # its folders, too, are below that folder
        told = [f'images in {place}' for place in move_data(config, options.pop(DATA_ROOT))]
    new: set[str] = set()
    for key, value in options.items():
        override(config, key, value, new)
    assert stored is not None  # as_config refuses it
    checked_as_trained(config, stored.place)
    return config, told + lines(f'{OTHER} {stored.place}', settings(config), theirs, options)


def as_config(stored: StoredConfig | None, checkpoint: FilePath) -> Config:
    """Return a stored config, walked, with today's defaults; its parts are not built.

    Raises:
        InvalidInputError: Nobody kept it, or it holds more than registered parts.
    """
    if stored is None:
        if StepCheckpoint.of(checkpoint).meta['method'] == 'seam':  # or it is not there at all
            raise expected('checkpoint', str(checkpoint), "a step's final.pth, no network of SEAM")
        raise InvalidInputError(
            f'checkpoint {checkpoint} holds no config (incseg 0.1 wrote none): name the config '
            'of its training too'
        )
    stored.check()
    config = Config({**deepcopy(DEFAULTS), **deepcopy(stored.settings)})
    object.__setattr__(config, '_filename', stored.name)  # given to Config, it would be opened
    return config


def configs_of_runs(
    checkpoints: Mapping[str, FilePath], options: Mapping[str, Any], shown: Config | None
) -> dict[str, Config]:
    """Return the config that each of several networks was trained with.

    Args:
        checkpoints: The ``final.pth`` of each, by title.
        options: Overrides by dotted key, for all of them.
        shown: The config of those of incseg 0.1, which hold none; None to refuse them.

    Raises:
        UserError: A checkpoint is missing, or its stored config is damaged or wrong.
    """
    configs = {}
    for title, path in checkpoints.items():
        checkpoint = StepCheckpoint.of(path)
        stored = read_stored(checkpoint) if checkpoint.path.is_file() else None
        if stored is None and shown is not None:
            configs[title] = shown
        else:
            configs[title] = load_trained_config(None, options, checkpoint)[0]
    return configs


def checked_as_trained(config: Config, place: str) -> None:
    """Check a config with stored settings; an error names the place."""
    try:
        check_config(config)
    except InvalidInputError as error:
        raise InvalidInputError(f'{place}, with which it was trained: {error}') from error


def differences(config: Mapping[str, Any], stored: StoredConfig) -> list[str]:
    """Return the line that says where a config differs from the training's, or no line."""
    return lines(f'{OTHER} {stored.place}', settings(config), settings(stored.settings))


def with_settings(config: Config, stored: Mapping[str, Any], options: Mapping[str, Any]) -> Config:
    """Return the config with the stored settings in place of its own, and the options over them."""
    trained = deepcopy(config)
    ours, theirs = normal(config), normal(stored)
    for key, value in stored.items():
        taken = Path(str(value)).exists() if is_root(key) else not is_free(key)
        if taken and ours.get(key) != theirs[key]:
            trained[key] = deepcopy(value)
    new: set[str] = set()
    for key, value in options.items():
        override(trained, key, value, new)
    return trained


def settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that an evaluation depends on, by dotted key."""
    keys = evaluated(config)
    return {key: value for key, value in flatten(normal(config)) if key.partition('.')[0] in keys}


def normal(config: Mapping[str, Any]) -> Any:
    """Return a config in the form in which two are compared: types by name, lists for tuples."""
    return as_written(stored_config(config))


def lines(
    what: str,
    ours: Mapping[str, Any],
    theirs: Mapping[str, Any],
    named: Iterable[str] | None = None,
) -> list[str]:
    """Return a line with the settings that differ, ours first, or no line.

    Folders of data may lie elsewhere than in the training: another line names them.

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
    roots = [key for key in chosen if is_root(key)] if what.startswith(OTHER) else []
    found = []
    for words, keys in (
        (what, [key for key in chosen if key not in roots]),
        (what.replace(OTHER, ELSEWHERE), roots),
    ):
        shown = [f'{key} = {ours.get(key)!r} (not {theirs.get(key)!r})' for key in keys[:MOST]]
        more = f' and {len(keys) - MOST} more' if len(keys) > MOST else ''
        found += [f'{words}: {", ".join(shown)}{more}'] if keys else []
    return found


def tell(notes: Iterable[str]) -> None:
    """Print the notes of :func:`load_trained_config`, and warn of settings that change scores."""
    for note in notes:
        if note.startswith(OTHER):
            warnings.warn(f'settings {note}; without them the numbers are those of the training')
        else:
            print(note)
