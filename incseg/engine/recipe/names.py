"""A config's ``'$name'`` strings: each stands for the top-level setting ``name``.

So each thing is said once in a config, and an override never leaves a stale copy.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from incseg.errors import InvalidInputError


def resolve(value: Any, settings: Mapping[str, Any]) -> Any:
    """Replace every string ``'$name'`` in a value by the top-level setting ``name``.

    Args:
        value: A config or a part of one: dicts, lists and tuples of any values; not changed.
        settings: The top-level settings.

    Returns:
        A copy made of plain dicts, lists and tuples.

    Raises:
        InvalidInputError: There is no such setting, or settings name each other in a circle.
    """
    return _resolve(value, settings, '', ())


def _resolve(value: Any, settings: Mapping[str, Any], key: str, path: tuple[str, ...]) -> Any:
    """Do the work of :func:`resolve` for one value inside a config.

    Args:
        value, settings: As for :func:`resolve`.
        key: Dotted key of the value, for errors.
        path: Names of the settings through which the value was reached.
    """
    if (name := name_of(value)) is not None:
        if name in path:
            circle = ' -> '.join(f'${each}' for each in (*path[path.index(name) :], name))
            raise InvalidInputError(f'the config uses {value!r} in a circle: {circle}')
        if name not in settings:
            close = get_close_matches(name, map(str, settings), 1)
            hint = f'; did you mean ${close[0]}?' if close else ''
            where = f'{key} is' if key else 'the config uses'
            raise InvalidInputError(f'{where} {value!r}, but the config has no {name!r}{hint}')
        return _resolve(settings[name], settings, name, (*path, name))
    if isinstance(value, Mapping):
        return {
            each: _resolve(item, settings, f'{key}.{each}' if key else str(each), path)
            for each, item in value.items()
        }
    if isinstance(value, list | tuple):
        items = [_resolve(item, settings, key, path) for item in value]
        return items if isinstance(value, list) else tuple(items)
    return value


def names_in(value: Any, settings: Mapping[str, Any] | None = None) -> set[str]:
    """Return the names that the ``'$name'`` strings in a value use.

    Args:
        value: A config or a part of one.
        settings: The top-level settings; with them, also the names that the values of the
            named settings use.
    """
    names: set[str] = set()
    left = [value]
    while left:
        item = left.pop()
        name = name_of(item)
        if isinstance(item, Mapping):
            left += item.values()
        elif isinstance(item, list | tuple):
            left += item
        elif name is not None and name not in names:
            names.add(name)
            left += [] if settings is None else [settings.get(name)]
    return names


def name_of(value: Any) -> str | None:
    """Return ``name`` of the string ``'$name'``, and None of any other value."""
    return value[1:] if isinstance(value, str) and value.startswith('$') else None
