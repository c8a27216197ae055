"""The config a work dir was started with; ``--resume`` refuses to go on with another."""
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from incseg.errors import InvalidInputError
from incseg.evaluation.ledger import write_text

FILE = 'config.json'
#: keys that may change between an interruption and the resumption
FREE = ('filename', 'data_root', 'num_workers', 'base_steps_dir',
        'schedule.log_interval', 'schedule.checkpoint_interval')


def write_run_config(config: Any, work_dir: Path) -> None:
    """Keep the complete config beside the results."""
    write_text(work_dir / FILE, json.dumps(dict(config), indent=1, default=repr) + '\n')


def check_run_config(config: Any, work_dir: Path) -> None:
    """Refuse to resume with a config that would train something else.

    Raises:
        InvalidInputError: Naming the first key that differs and both values.
    """
    path = work_dir / FILE
    if not path.is_file():
        return
    try:
        before = dict(flatten(json.loads(path.read_text())))
    except ValueError as error:
        raise InvalidInputError(f'{path} is damaged: {error}') from error
    now = dict(flatten(json.loads(json.dumps(dict(config), default=repr))))
    names_first = sorted({*before, *now}, key=lambda key: (not key.endswith('.name'), key))
    for key in names_first:
        free = any(key == name or key.startswith(f'{name}.') for name in FREE)
        if not free and before.get(key) != now.get(key):
            raise InvalidInputError(
                f'{work_dir} was started with {key} = {before.get(key)!r}, this config says '
                f'{now.get(key)!r}; resume with the same config, or pass another --work-dir')


def flatten(value: Any, prefix: str = '') -> Iterator[tuple[str, Any]]:
    """Nested dicts as dotted keys; an empty dict is a value of its own."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from flatten(item, f'{prefix}.{key}' if prefix else str(key))
    else:
        yield prefix, value
