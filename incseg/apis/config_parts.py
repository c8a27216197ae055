"""A part of a config: registered, and given arguments that it has."""
import inspect
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from mmengine.registry import Registry

from incseg.errors import InvalidInputError
from incseg.registry import TASK_UTILS


def check_part(key: str, part: Any, registry: Registry, needed: bool = False) -> None:
    if part is None and not needed:
        return
    if not isinstance(part, Mapping) or 'type' not in part:
        raise InvalidInputError(f"{key} is {part!r}, expected dict(type=…, …)")
    found = registry.get(part['type']) if isinstance(part['type'], str) else part['type']
    if found is None:
        raise InvalidInputError(
            f"{key}.type is {part['type']!r}, which is not registered (custom_imports missing?)")
    allowed = arguments(found)
    if allowed is not None and registry is TASK_UTILS:
        allowed -= {'dataset'}  # not the config's to say
    for name in part:
        if name != 'type' and allowed is not None and name not in allowed:
            unknown(f'{key}.{name}', part['type'], {f'{key}.{a}' for a in allowed})


def arguments(function: Any) -> set[str] | None:
    """Names of the arguments, those handed on to base classes included; None if unknowable."""
    if not inspect.isclass(function):
        parameters = list(inspect.signature(function).parameters.values())
        open_end = any(p.kind is p.VAR_KEYWORD for p in parameters)
        return None if open_end else {p.name for p in parameters}
    names: set[str] = set()
    for cls in function.__mro__:
        if '__init__' not in vars(cls) or cls is object:
            continue
        parameters = list(inspect.signature(vars(cls)['__init__']).parameters.values())[1:]
        names |= {p.name for p in parameters
                  if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return names
    return names


def unknown(key: str, where: str, allowed: set[str]) -> None:
    close = get_close_matches(key, allowed, 1)
    hint = f'did you mean {close[0]!r}?' if close else f'allowed: {sorted(allowed)}'
    raise InvalidInputError(f'unknown key {key!r} of {where}; {hint}')
