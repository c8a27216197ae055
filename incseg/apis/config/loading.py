"""Read a config, override its keys, and check it before anything is built."""

import traceback
from ast import literal_eval
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from mmengine.config import Config

from incseg.apis.config.check import check_config
from incseg.apis.config.model_base import swap_model
from incseg.apis.config.moved import DATA_ROOT, move_data, steps_of
from incseg.apis.config.schema import DEFAULTS, SETTINGS
from incseg.apis.config.stored import import_modules, where_to_look
from incseg.errors import InvalidInputError
from incseg.evaluation.run_settings import MODEL_BASE
from incseg.utils.library_configs import find_config
from incseg.utils.rules import expected, unknown_key


def load_config(path: str | Path, options: Mapping[str, Any] | None = None) -> Config:
    """Read a config file, fill the defaults, apply overrides, check everything.

    Args:
        path: A Python config: a file, or the name of one of the library,
            ``'mib/bisenet_r18_shapes_4-1'``; a file goes first.
        options: Overrides by dotted key, ``{'protocol.setting': 'disjoint'}``; with
            ``{'model_base': 'deeplabv3_lite0'}`` the network is that of another base.

    Returns:
        The complete config; ``filename`` tells where it came from.

    Raises:
        MissingFileError: If there is no such file.
        InvalidInputError: If it cannot be read, has unknown keys, or a value
            is not allowed.
    """
    path = find_config(path)
    if path.is_dir():
        raise expected('config', str(path), 'a .py file, no folder')
    if path.suffix != '.py':
        raise expected('config', str(path), 'a .py file')
    try:
        config = Config.fromfile(path)
    except Exception as error:  # a config's own code or imports may raise anything
        raise InvalidInputError(f'config {path} cannot be read: {cause(error)}') from error
    options = dict(options or {})
    if (model := options.pop(MODEL_BASE, config.get(MODEL_BASE))) is not None:
        swap_model(config, path, model)
    for key, value in deepcopy(DEFAULTS).items():
        config.setdefault(key, value)
    new: set[str] = set()
    for key, value in options.items():
        if key == DATA_ROOT and steps_of(config):  # an open protocol may have several folders
            move_data(config, value)
            continue
        override(config, key, value, new)
        if key.partition('.')[0] == 'custom_imports':
            import_modules(modules_of(config['custom_imports']))
    check_config(config)
    return config


def modules_of(custom_imports: Any) -> list[str]:
    """Return the modules that ``custom_imports`` names.

    Raises:
        InvalidInputError: It is not ``dict(imports=['module', …])``.
    """
    named = custom_imports.get('imports') if isinstance(custom_imports, Mapping) else None
    modules = [named] if isinstance(named, str) else named
    others = {*custom_imports} - {'imports', 'allow_failed_imports'} if modules else {}
    if not isinstance(modules, list | tuple) or others or not all(map(_is_module, modules)):
        raise expected('custom_imports', custom_imports, "{'imports': ['my_parts']}")
    return list(modules)


def _is_module(name: Any) -> bool:
    return isinstance(name, str) and all(part.isidentifier() for part in name.split('.'))


def override(config: Config, dotted: str, value: Any, new: set[str] | None = None) -> None:
    """Set one key, ``'model.backbone.depth'``, to a value.

    A key that the config does not have is refused, unless it is a setting of
    the schema, lies in an open one (``method.hooks``), or its parent has a
    ``type``: then it may be an argument that was left at its default, or a key of a dict
    that is one (whether the type knows it is checked later).

    Args:
        config: The config, which is changed.
        dotted: The key.
        value: Its value.
        new: Keys of dicts that overrides have made; those of this one are added.

    Raises:
        InvalidInputError: Naming the key.
    """
    new = set() if new is None else new
    node: Any = config
    *parents, last = dotted.split('.')
    path = ''
    for depth, key in enumerate(parents):
        path = '.'.join(parents[: depth + 1])
        if key not in node and ('type' in node or path.rpartition('.')[0] in new):
            node[key] = {}  # an argument that was left at its default
            new.add(path)
        if is_open(path) and node.get(key) is None:
            node[key] = {}
        node = child(node, key, path)
        if not isinstance(node, Mapping):
            raise expected(path, node, f'a dict: --cfg-options {dotted} names a key of it')
    known = last in node or 'type' in node or dotted in SETTINGS or is_open(path)
    if not (known or path in new or (parents and parents[-1] in CHECKED_LATER)):
        child(node, last, dotted)
    node[last] = value


#: arguments of data sets that are dicts, whose keys the data set checks
CHECKED_LATER = ('metainfo', 'data_prefix', 'filter_cfg')


def is_open(key: str) -> bool:
    """Say whether keys may be added to a dict by an override."""
    return key in SETTINGS and SETTINGS[key].open


def child(node: Any, key: str, dotted: str) -> Any:
    """Return the value of a key that the node has to have."""
    if key not in node:
        parent = dotted[: -len(key)]
        raise unknown_key(dotted, '--cfg-options', {f'{parent}{each}' for each in node})
    return node[key]


def parse_options(
    pairs: Sequence[str] | None, option: str = '--cfg-options', form: str = 'KEY=VALUE'
) -> dict[str, Any]:
    """Return ``['epochs=2', 'crop_size=(64,64)']`` as a dict, with values as Python literals.

    A value that is no literal stays text.

    Args:
        pairs: The pairs; None is an empty list.
        option: The option of the command line that they come from, for errors.
        form: What a pair looks like, for errors.

    Raises:
        InvalidInputError: A pair is not of the form ``key=value``, or a list is no Python
            literal.
    """
    options = {}
    for pair in pairs or ():
        key, equals, text = pair.partition('=')
        if not equals or not key:
            raise expected(option, pair, form)
        try:
            options[key] = literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            if text[:1] + text[-1:] in ('[]', '()'):
                raise expected(
                    option, pair, f'texts in quotes, as {key}=\'["a", "b"]\' in a shell'
                ) from None
            words = {'true': True, 'false': False, 'none': None}
            options[key] = words.get(text.lower(), text)
    return options


def cause(error: BaseException) -> str:
    """Return the first error of a chain: its type, first line, and file and line number."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    line = (str(error).strip().splitlines() or [''])[0]
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if 'importlib' not in Path(frame.filename).parts  # a line of Python's own import
    ]
    place = f' ({frames[-1].filename}:{frames[-1].lineno})' if frames else ''
    return f'{type(error).__name__}: {line}{place}{where_to_look(error)}'
