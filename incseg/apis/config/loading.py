"""Loading a config, overriding its keys, and checking it before anything is built."""

import traceback
from ast import literal_eval
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mmengine.config import Config

from incseg.apis.config.check import check_config
from incseg.errors import InvalidInputError, MissingFileError

#: what a config need not say
DEFAULTS: dict[str, Any] = dict(
    seed=42, custom_hooks={}, base_steps_dir='work_dirs/_base_steps', seam_dir='work_dirs/_seam'
)
#: what a config may lack and an override may add, key by key; the keys are checked later
COLLECTIONS = (
    'custom_hooks',
    'method.distillation',
    'method.hooks',
    'method.memory',
    'method.frozen',
)


def load_config(path: str | Path, options: Mapping[str, Any] | None = None) -> Config:
    """Read a config file, fill the defaults, apply overrides, check everything.

    Args:
        path: A Python config.
        options: Overrides by dotted key, ``{'protocol.setting': 'disjoint'}``.

    Returns:
        The complete config; ``filename`` tells where it came from.

    Raises:
        MissingFileError: If there is no such file.
        InvalidInputError: If it cannot be read, has unknown keys, or a value
            is not allowed.
    """
    path = Path(path)
    if path.is_dir():
        raise InvalidInputError(f'config {path} is a folder, expected a .py file')
    if not path.is_file():
        raise MissingFileError(f'no config at {path}')
    if path.suffix != '.py':
        raise InvalidInputError(f'config {path} is not a .py file')
    try:
        config = Config.fromfile(path)
    except Exception as error:  # whatever a config's own code or imports raise
        raise InvalidInputError(f'config {path} cannot be read: {cause(error)}') from error
    for key, value in DEFAULTS.items():
        config.setdefault(key, value)
    for key, value in (options or {}).items():
        override(config, key, value)
    check_config(config)
    return config


def override(config: Config, dotted: str, value: Any) -> None:
    """Set one existing key, ``'model.backbone.depth'``, to a value.

    A key that the config does not have is refused, unless it is one of
    ``COLLECTIONS`` or in one, or its parent has a ``type``: then it may be an
    argument that was left at its default (whether the type knows it is checked
    later).
    """
    node: Any = config
    *parents, last = dotted.split('.')
    path = ''
    for depth, key in enumerate(parents):
        path = '.'.join(parents[: depth + 1])
        if path in COLLECTIONS:
            node.setdefault(key, {})
        node = child(node, key, path)
        if not isinstance(node, Mapping):
            raise InvalidInputError(
                f'--cfg-options {dotted}: {path} is {node!r}, which has no keys'
            )
    if last not in node and 'type' not in node and not {path, dotted} & set(COLLECTIONS):
        child(node, last, dotted)
    node[last] = value


def child(node: Any, key: str, dotted: str) -> Any:
    if key not in node:
        close = get_close_matches(key, map(str, node), 1)
        hint = f'did you mean {close[0]!r}? ' if close else ''
        raise InvalidInputError(
            f'--cfg-options: unknown key {dotted!r}; {hint}allowed: {sorted(map(str, node))}'
        )
    return node[key]


def parse_options(pairs: Sequence[str] | None) -> dict[str, Any]:
    """``['epochs=2', 'crop_size=(64,64)']`` to a dict, values as Python where they are."""
    options = {}
    for pair in pairs or ():
        key, equals, text = pair.partition('=')
        if not equals or not key:
            raise InvalidInputError(f'--cfg-options {pair!r}: expected key=value')
        try:
            options[key] = literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            words = {'true': True, 'false': False, 'none': None}
            options[key] = words.get(text.lower(), text)
    return options


def cause(error: BaseException) -> str:
    """The error that started it all: type and first line, with the place if it is in a module."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    line = (str(error).strip().splitlines() or [''])[0]
    frames = traceback.extract_tb(error.__traceback__)
    place = f' ({frames[-1].filename}:{frames[-1].lineno})' if frames else ''
    return f'{type(error).__name__}: {line}{place}'
