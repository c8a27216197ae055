"""A config's ``'$name'`` strings."""
from collections.abc import Mapping
from typing import Any

from incseg.errors import InvalidInputError


def resolve(value: Any, settings: Mapping[str, Any]) -> Any:
    """Replace every string ``'$name'`` by the top-level setting ``name``.

    So each thing is said once in a config and an override never leaves a
    stale copy.
    """
    if isinstance(value, str) and value.startswith('$'):
        if value[1:] not in settings:
            raise InvalidInputError(f'the config uses {value!r}, but has no key {value[1:]!r}')
        return resolve(settings[value[1:]], settings)
    if isinstance(value, Mapping):
        return {key: resolve(item, settings) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [resolve(item, settings) for item in value]
    return value
