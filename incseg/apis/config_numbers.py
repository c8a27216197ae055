"""Numbers in a config."""
from math import isfinite
from typing import Any

from incseg.errors import InvalidInputError


def number(key: str, value: Any) -> None:
    """Refuse, with InvalidInputError, what is no finite number; a bool is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        raise InvalidInputError(f'{key} is {value!r}, expected a number')


def at_least(key: str, value: Any, least: int) -> None:
    """Refuse, with InvalidInputError, what is no whole number, or a smaller one."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InvalidInputError(f'{key} is {value!r}, expected a whole number of at least {least}')
