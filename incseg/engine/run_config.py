"""The config a work dir was started with; ``--resume`` refuses to go on with another."""
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from incseg.atomic_file import write_atomically
from incseg.errors import InvalidInputError
from incseg.evaluation.run_settings import CONFIG_FILE, flatten, is_free, read_settings


def write_run_config(config: Any, work_dir: Path) -> None:
    """Keep the complete config beside the results."""
    text = json.dumps(dict(config), indent=1, default=repr) + '\n'
    write_atomically(work_dir / CONFIG_FILE, text)


def as_written(config: Any) -> Any:
    """A config, or a part of one, as :func:`write_run_config` would have it read again."""
    return json.loads(json.dumps(dict(config), default=repr))


def check_run_config(config: Any, work_dir: Path, but: Collection[str] = ()) -> None:
    """Refuse to resume with a config that would train something else; ``but``: never mind these.

    Raises:
        InvalidInputError: Naming the first key that differs and both values.
    """
    before = read_settings(work_dir)
    if before is None:
        return
    now = dict(flatten(as_written(config)))
    names_first = sorted({*before, *now} - {*but}, key=lambda key: (
        not key.endswith('.name'), key.startswith('files.'), key))  # what was meant comes first
    for key in names_first:
        if not is_free(key) and before.get(key) != now.get(key):
            raise InvalidInputError(
                f'{work_dir} was started with {key} = {before.get(key)!r}, this config says '
                f'{now.get(key)!r}; resume with the same config, or pass another --work-dir')
