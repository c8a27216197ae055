"""The config that a training stored: in a step's checkpoint, or in its work dir's ``config.json``.

It comes from a file, so it is data: no type that is not registered is built from it, and no
module that it names is imported.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from mmengine.registry import Registry

from incseg.engine.checkpoint import StepCheckpoint
from incseg.engine.recipe.names import name_of, resolve
from incseg.errors import InvalidInputError
from incseg.evaluation import Ledger
from incseg.evaluation.run_settings import CONFIG_FILE, DATA, LABELS, STARTS, read_run_config
from incseg.registry import find, find_by_path, names_of, why_unknown
from incseg.utils.rules import any_of, expected, similar

REGISTERED = 'a registered type (custom_imports missing?)'


@dataclass(frozen=True)
class StoredConfig:
    """A config as a training stored it.

    Attributes:
        settings: Its settings, plain data; ``'$name'`` as it was written.
        name: The file that the training read, as the ledger names it.
        place: Where it is stored, for messages.
        foreign: What ``meta.imports`` says of types that are not the library's.
    """

    settings: dict[str, Any]
    name: str
    place: str
    foreign: tuple[Mapping[str, Any], ...] = ()

    def check(self) -> None:
        """Refuse a config that would do more than build registered parts.

        Raises:
            InvalidInputError: Naming the key, or the module that is not imported.
        """
        check_stored(self.settings, self.place, self.foreign)


def read_stored(checkpoint: StepCheckpoint) -> StoredConfig | None:
    """Return the config that a step's network was trained with; None where it is not stored.

    Args:
        checkpoint: A step's ``final.pth``; it may be missing where its work dir is there.

    Raises:
        UserError: A file is damaged, or the checkpoint is none of a step.
    """
    if checkpoint.path.is_file() and (config := checkpoint.config) is not None:
        if not isinstance(config, dict):
            raise expected(f'checkpoint {checkpoint}: meta.config', config, 'a config')
        settings = {key: value for key, value in config.items() if key != 'filename'}
        place = '/'.join(checkpoint.path.absolute().parts[-2:])
        foreign = checkpoint.meta.get('imports') or ()
        if not isinstance(foreign, list | tuple):
            raise expected(f'checkpoint {checkpoint}: meta.imports', foreign, 'a list')
        return StoredConfig(settings, str(config.get('filename', '')), place, tuple(foreign))
    work_dir = checkpoint.path.absolute().parent.parent
    stored, ledger = read_run_config(work_dir), Ledger.read(work_dir)
    if stored is None or ledger is None:
        return None
    settings = {key: value for key, value in stored.items() if key not in (LABELS, DATA, STARTS)}
    return StoredConfig(settings, str(ledger['config']), f'{work_dir.name}/{CONFIG_FILE}')


def unknown_type(key: str, kind: Any, *registries: Registry) -> InvalidInputError:
    """Return the error that refuses a type, with the most similar of those that are registered.

    If none is similar, the library's own that end with the same word are listed.  Of a type with
    dots the package is imported, to say why it is not there: no stored config may have one.

    Args:
        key: The key of the type, as the user writes it.
        kind: Its value.
        registries: Where it was looked up; by default in all of incseg.
    """
    advice = ''
    if isinstance(kind, str):
        if reason := why_unknown(kind, *registries):
            return InvalidInputError(f'{key} is {kind!r}, which {reason}')
        word = re.findall('[A-Z][a-z0-9]*$', kind)
        own = sorted({name for each in registries for name in each.module_dict})
        kin = [name for name in own if word and name.endswith(word[0])]
        if close := similar(kind, names_of(*registries)):
            advice = f'; did you mean {close!r}?'
        elif kin:
            advice = f'; there are {any_of(kin)}'
    return expected(key, kind, REGISTERED + advice)


def import_modules(names: Iterable[str]) -> None:
    """Import the modules that a user named, which register the user's own parts.

    Raises:
        InvalidInputError: A module cannot be imported.
    """
    for name in [names] if isinstance(names, str) else names:
        try:
            import_module(name)
        except Exception as error:  # a module's own code may raise anything
            raise InvalidInputError(
                f'the module {name!r} cannot be imported: {type(error).__name__}: {error}'
                + where_to_look(error)
            ) from error


def where_to_look(error: BaseException) -> str:
    """Return the end of a message about a module that is not found; empty for another error."""
    if not isinstance(error, ModuleNotFoundError):
        return ''
    return (
        '; run the command with PYTHONPATH=FOLDER, the folder that holds the module, or install '
        f'its package (now: PYTHONPATH={os.environ.get("PYTHONPATH", "")!r})'
    )


def check_stored(
    config: Mapping[str, Any], place: str, foreign: Iterable[Mapping[str, Any]] = ()
) -> None:
    """Refuse a stored config that would do more than build registered parts.

    mmengine's registry imports what a dotted type names, and calls it; ``_scope_`` makes it
    import a package.

    Args:
        config: The config.
        place: Where it is stored, for messages.
        foreign: ``meta.imports``: a dict ``(type, module, distribution, version)`` for each type
            that is not the library's.

    Raises:
        InvalidInputError: Naming the first key that is refused, or the module that is not
            imported.
    """
    origins = {str(each.get('type')): each for each in foreign if isinstance(each, Mapping)}
    for key, value in items_of(config):
        last = key.rpartition('.')[2]
        if re.fullmatch('_.*_', last):
            raise expected(f'{place}: {key}', value, 'no such key in a stored config')
        if callable(value):
            raise expected(f'{place}: {key}', value, 'plain data in a stored config')
        if last != 'type':
            continue
        kind = resolve(value, config) if name_of(value) else value
        if not isinstance(kind, str) or '.' in kind:
            raise expected(f'{place}: {key}', kind, 'a registered name, without dots')
        if find(kind) is not None:
            continue
        if kind not in origins:
            raise unknown_type(f'{place}: {key}', kind)
        raise InvalidInputError(f'{place} needs {kind} of {not_imported(origins[kind])}')


def not_imported(origin: Mapping[str, Any]) -> str:
    """Say where a type comes from, and how it is imported."""
    module = origin.get('module')
    known = [str(origin[key]) for key in ('distribution', 'version') if origin.get(key)]
    return (
        f'{module}{f" (distribution {chr(32).join(known)})" if known else ""}, which is not '
        f'imported; if you trust it: --import {module}, in Python imports=[{module!r}]'
    )


def items_of(value: Any, prefix: str = '') -> Iterable[tuple[str, Any]]:
    """Yield every key of nested dicts, lists and tuples, dotted, with its value."""
    named = value.items() if isinstance(value, Mapping) else enumerate(value)
    for name, item in named:
        key = f'{prefix}.{name}' if prefix else str(name)
        yield key, item
        if isinstance(item, Mapping | list | tuple):
            yield from items_of(item, key)


def check_dotted_types(config: Mapping[str, Any]) -> None:
    """Refuse a type with dots, anywhere in a user's config, behind which no registered part is.

    Raises:
        InvalidInputError: Naming the first one.
    """
    for key, kind in items_of(config):
        dotted = key.rpartition('.')[2] == 'type' and isinstance(kind, str) and '.' in kind
        if dotted and find(kind) is None and find_by_path(kind) is None:
            raise unknown_type(key, kind)
