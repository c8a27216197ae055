"""Another network for a config: its base of the model is replaced, what else it says stays."""

import warnings
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from mmengine.config import Config

from incseg.errors import InvalidInputError, MissingFileError
from incseg.evaluation.run_settings import MODEL_BASE, model_title
from incseg.registry import MODELS, part_of
from incseg.utils.repository import library_files
from incseg.utils.rules import any_of, expected, similar
from incseg.utils.signatures import arguments

#: folders of configs that say no network of their own
OTHERS = {'data', 'protocol', 'schedule', 'method'}
NOTHING = object()


def swap_model(config: Config, path: Path, name: Any) -> None:
    """Replace the base of the model of a config.

    What the config changes in its old base is kept where it is not about the old network: both
    bases say the same there, and the new part has such an argument.  A warning names what is
    dropped.

    Args:
        config: The config as it was read; it is changed.
        path: Its file.
        name: A file of ``configs/_base_/models`` without ``.py``, or the path of another base.

    Raises:
        InvalidInputError: There is no such base; or it is none of a model.
    """
    old_file = model_base_of(path)
    new_file = find_base(name, None if old_file is None else old_file.parent)
    old = {} if old_file is None else read_base(old_file)
    new = read_base(new_file)
    if 'model' not in new or OTHERS & {*new}:
        raise expected(f'--model {name}', sorted(new), 'a base with model, and without data')
    own = {key: config[key] for key in old if key in config}
    changed = list(changes(old, own)) if old else []
    dropped = []
    for keys, value in changed:
        if not take(new, old, keys, value):
            dropped.append(f'{".".join(keys)}={value!r}')
    for key in old:
        config.pop(key, None)
    if 'custom_imports' in new and 'custom_imports' in config:
        new.pop('custom_imports')  # both are imported; the checkpoint names each module
    for key, value in new.items():
        config[key] = value
    config[MODEL_BASE] = name
    if dropped:
        warnings.warn(
            f'--model {name}: {path} says {", ".join(dropped)} about its own network, which is '
            'left out; --cfg-options sets what the new one needs'
        )


def models_folder() -> Path:
    """Return the folder of the library's bases of models."""
    return library_files() / 'configs' / '_base_' / 'models'


def find_base(name: Any, beside: Path | None) -> Path:
    """Return the file of a base of a model.

    Args:
        name: Its name or path, as the user gave it.
        beside: The folder of the config's own base, whose files go before the library's.

    Raises:
        InvalidInputError: There is none; names the similar ones.
        MissingFileError: It is a path, and no file is there.
    """
    if not isinstance(name, str) or not name:
        raise expected('--model', name, 'the name of a base of a model, or its path')
    if name.endswith('.py') or '/' in name:
        if not Path(name).is_file():
            raise MissingFileError(f'--model: no base of a model at {name}')
        return Path(name).resolve()
    folders = [folder for folder in (beside, models_folder()) if folder is not None]
    for folder in folders:
        if (folder / f'{name}.py').is_file():
            return folder / f'{name}.py'
    known = sorted({file.stem for folder in folders for file in folder.glob('*.py')})
    hint = similar(name, known)
    near = '' if hint is None else f'; did you mean {hint!r}?'
    raise InvalidInputError(f'--model is {name!r}, expected {any_of(known)}, or a path{near}')


def model_base_of(path: Path) -> Path | None:
    """Return the file from which a config has its model; None where it writes it itself.

    It is the base, of the config or of a config that it is based on, with a model but without
    data, protocol, schedule and method.

    Args:
        path: The config's file.
    """
    for base in Config._get_base_files(str(path)):
        file = Path(path).parent / base
        keys = {*read_base(file)} if file.is_file() else set()
        if 'model' in keys:
            return file.resolve() if not OTHERS & keys else model_base_of(file)
    return None


def read_base(file: Path) -> dict[str, Any]:
    """Read a base; its dicts may be changed.

    Raises:
        InvalidInputError: It cannot be read.
    """
    try:
        return Config.fromfile(file)._cfg_dict.to_dict()
    except Exception as error:  # a base's own code may raise anything
        raise InvalidInputError(f'base {file} cannot be read: {error}') from error


def changes(old: Any, new: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple, Any]]:
    """Yield the keys and the value of each place where a config differs from its base.

    A part of another type is one place.

    Args:
        old: The base.
        new: The config's own values.
        keys: Where both are.
    """
    both = isinstance(old, Mapping) and isinstance(new, Mapping)
    if both and (not keys or old.get('type') == new.get('type')):
        for key, value in new.items():
            yield from changes(old.get(key, NOTHING), value, (*keys, key))
    elif old is NOTHING or old != new:
        yield keys, new


def take(new: dict, old: Mapping, keys: tuple[str, ...], value: Any) -> bool:
    """Make a change of the old base in the new one, if it is not about the old network.

    Args:
        new: The new base, which is changed.
        old: The old base.
        keys: Where the change is.
        value: Its value.

    Returns:
        Whether it was made.
    """
    node: Any = new
    before: Any = old
    for key in keys[:-1]:
        node = node.get(key) if isinstance(node, Mapping) else None
        before = before.get(key, {}) if isinstance(before, Mapping) else {}
    last = keys[-1]
    if not isinstance(node, dict) or node.get(last, NOTHING) != before.get(last, NOTHING):
        return False
    if len(keys) == 1 and last not in node:
        return False
    if 'type' in node:
        known = arguments(part_of(node['type'], MODELS))
        if known is not None and last not in known:
            return False
    node[last] = deepcopy(value)
    return True


def default_work_dir(config: Config) -> Path:
    """Return the default work dir of a config: ``work_dirs/<config stem>[_<model>]``."""
    model = model_title(config)
    return Path('work_dirs', Path(config.filename).stem + (f'_{model}' if model else ''))
