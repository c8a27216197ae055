"""Read the runs of ``incseg matrix``: configs, and files of configs with options."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from incseg.apis.config.loading import load_config
from incseg.apis.config.started import load_started_config
from incseg.engine.matrix.plan import MatrixRun
from incseg.errors import InvalidInputError, MissingFileError
from incseg.evaluation.run_settings import MODEL_BASE
from incseg.utils.library_configs import find_config
from incseg.utils.rules import expected, unknown_key

#: key of a run -> what it must be
KEYS: dict[str, tuple[type, str]] = {
    'config': (str, 'the path of a config'),
    'options': (dict, 'an object of options'),
    'model': (str, 'the name of a base of a model'),
    'seeds': (list, 'a list of integers'),
    'name': (str, 'text'),
    'start': (str, 'the path of a final.pth, which takes the place of step 0'),
}
#: keys that hold for all runs of a file
COMMON = ('seeds', 'options')
NAME = re.compile(r'[\w.+-]+')


def plan_runs(
    sources: Sequence[str],
    folder: Path,
    seeds: Sequence[int] | None = None,
    options: Mapping[str, Any] | None = None,
) -> list[MatrixRun]:
    """Load and check every config with every seed.

    The first seed of all configs comes before the second one, so that a
    comparison is possible before all seeds have run.

    Args:
        sources: Configs (files, or names of the library's) and files of runs (``.json``).
        folder: The folder of all work dirs.
        seeds: The seeds of every run; by default those of the file or config.
        options: Overrides of every run by dotted key, which win over those of the file.

    Returns:
        The runs with their loaded, complete configs.

    Raises:
        UserError: A file is missing or damaged, or a key or value is wrong.
    """
    planned: list[tuple[int, MatrixRun]] = []
    for source in sources:
        for entry in entries(source):
            model = {MODEL_BASE: entry['model']} if 'model' in entry else {}
            merged = {**model, **entry.get('options', {}), **(options or {})}
            if 'seed' in merged:
                raise InvalidInputError(f"{source}: seed is no option here: say 'seeds'")
            chosen: Sequence[int | None] = seeds or entry.get('seeds') or [None]
            for place, seed in enumerate(chosen):
                own = {} if seed is None else {'seed': seed}
                planned.append(
                    (
                        place,
                        MatrixRun(
                            str(find_config(entry['config'])),
                            merged,
                            loaded(entry, {**merged, **own}),
                            folder,
                            entry.get('name'),
                            entry.get('start'),
                        ),
                    )
                )
    return [run for _, run in sorted(planned, key=lambda item: item[0])]


def loaded(entry: Mapping[str, Any], options: Mapping[str, Any]) -> Config:
    """Return the config of a run; one that has a start gets the model of that."""
    if 'start' not in entry:
        return load_config(entry['config'], options)
    return load_started_config(entry['config'], options, entry['start'])


def entries(source: str) -> list[dict[str, Any]]:
    """Return the runs that a file lists, not yet loaded.

    Args:
        source: A ``.json`` file ``{"runs": [{"config": path, …}, …]}``, maybe with ``seeds`` and
            ``options`` of all its runs; any other path is a config, which is one run.

    Returns:
        Dicts with ``config``, a path, and maybe ``model``, ``options``, ``seeds``, ``name`` and
        ``start``.

    Raises:
        MissingFileError: There is no such ``.json`` file.
        InvalidInputError: It is no JSON, or not of this form.
    """
    path = Path(source)
    if path.suffix != '.json':
        return [dict(config=source)]
    if not path.is_file():
        raise MissingFileError(f'no file of runs at {path}')
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise InvalidInputError(f'{path} cannot be read: {error}') from error
    if (
        not isinstance(content, dict)
        or not isinstance(content.get('runs'), list)
        or not content['runs']
    ):
        raise expected(f'content of {path}', content, '{"runs": [{"config": …}, …]}')
    common = {key: value for key, value in content.items() if key != 'runs'}
    for key, value in common.items():
        if key not in COMMON:
            raise unknown_key(key, str(path), ('runs', *COMMON))
        check_value(key, value, str(path))
    for i, entry in enumerate(content['runs']):
        check_entry(entry, f'{path}: runs[{i}]')
    return [with_common(entry, common) for entry in content['runs']]


def with_common(entry: Mapping[str, Any], common: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run with the file's seeds and options; its own win."""
    options = {**common.get('options', {}), **entry.get('options', {})}
    return {**common, **entry, 'options': options} if options else {**common, **entry}


def check_entry(entry: Any, where: str) -> None:
    """Refuse a run with unknown keys or values of another type.

    Args:
        entry: A run as the JSON file has it.
        where: Its place in the file, for the message.

    Raises:
        InvalidInputError: Naming the key.
    """
    if not isinstance(entry, dict) or 'config' not in entry:
        raise expected(where, entry, 'an object with "config"')
    for key, value in entry.items():
        if key not in KEYS:
            raise unknown_key(key, where, KEYS)
        check_value(key, value, where)
    if 'name' in entry and not NAME.fullmatch(entry['name']):
        raise expected(
            f'{where}.name',
            entry['name'],
            'letters, digits and . _ + - (it becomes part of a folder)',
        )


def check_value(key: str, value: Any, where: str) -> None:
    """Refuse a value of another type than its key has.

    Args:
        key: A key of :data:`KEYS`.
        value: Its value.
        where: The place of the key in the file, for the message.

    Raises:
        InvalidInputError: Naming the key.
    """
    kind, what = KEYS[key]
    if not isinstance(value, kind):
        raise expected(f'{where}.{key}', value, what)
    if isinstance(value, list) and not all(type(seed) is int for seed in value):
        raise expected(f'{where}.seeds', value, what)
