"""The config of a run as its work dir keeps it: written at the start, compared on resume."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from incseg.errors import InvalidInputError
from incseg.evaluation.run_settings import CONFIG_FILE, MODEL_BASE, flatten, is_free, read_settings
from incseg.utils.files import write_json


def write_run_config(config: Any, work_dir: Path) -> None:
    """Write the complete config to ``config.json``.

    Args:
        config: A complete config, a mapping.
        work_dir: The run's folder.
    """
    write_json(work_dir / CONFIG_FILE, as_written(config))


def as_written(config: Any) -> Any:
    """Return a config, or a section of one, as JSON gives it back: tuples become lists.

    Args:
        config: A mapping; a value that JSON does not have becomes its ``repr``.
    """
    return json.loads(json.dumps(dict(config), default=repr))


def check_run_config(config: Any, work_dir: Path, ignored: Collection[str] = ()) -> None:
    """Refuse to resume with a config that would train something else.

    An open protocol may have more steps than before.

    Args:
        config: The complete config of this run.
        work_dir: The folder with ``config.json`` of the earlier run; nothing is refused
            where it has none.
        ignored: Dotted keys that may differ.

    Raises:
        InvalidInputError: Names the first key that differs and both values.
    """
    before = read_settings(work_dir)
    if before is None:
        return
    now = dict(flatten(as_written(config)))
    later = added_steps(before, now)
    now = {key: value for key, value in now.items() if step_of(key) not in later}
    names_first = sorted(
        {*before, *now} - {*ignored},
        key=lambda key: (
            key != MODEL_BASE,
            not key.endswith('.name'),
            key.startswith('files.'),
            key,
        ),
    )  # what was meant comes first
    for key in names_first:
        if not is_free(key) and before.get(key) != now.get(key):
            raise InvalidInputError(
                f'{work_dir} was started with {key} = {before.get(key)!r}, this config says '
                f'{now.get(key)!r}; resume with the same config, or pass another --work-dir'
            )


def added_steps(before: Mapping[str, Any], now: Mapping[str, Any]) -> set[str]:
    """Return the names of the steps that an open protocol has got since its run was started.

    Args:
        before: The config of the run by dotted key.
        now: The config now, likewise.
    """
    known, names = ({step_of(key) for key in keys} - {''} for keys in (before, now))
    return names - known if known <= names else set()


def step_of(key: str) -> str:
    """Return the name of the step of an open protocol to which a dotted key belongs, or ''."""
    parts = key.split('.')
    return parts[2] if parts[:2] == ['protocol', 'steps'] and len(parts) > 2 else ''
