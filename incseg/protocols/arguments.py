"""Checks of what a caller passes, each refusing in one line."""

import operator
from collections.abc import Iterable
from typing import Any

from incseg.errors import InvalidInputError


def whole_number(name: str, value: Any, low: int, high: int | None = None, why: str = '') -> int:
    """Returns ``value`` as int, or raises if it is no whole number from ``low`` to ``high``."""
    number = _index(value)
    if number is None or number < low or (high is not None and number > high):
        allowed = f'of at least {low}' if high is None else f'from {low} to {high}'
        raise InvalidInputError(f'{name}={value!r}: expected a whole number {allowed}{why}')
    return number


def permutation(name: str, given: Iterable[Any], total: int) -> tuple[int, ...]:
    """Returns ``given`` as a tuple of int, or raises if it is no permutation of 1..total."""
    try:
        values = list(given)
    except TypeError:
        values = [given]
    order = [_index(value) for value in values]
    allowed = range(1, total + 1)
    faults = {
        'repeated': [c for c in allowed if order.count(c) > 1],
        'missing': [c for c in allowed if c not in order],
        'not a class': [value for value, c in zip(values, order, strict=True) if c not in allowed],
    }
    if any(faults.values()):
        detail = ''.join(
            f'; {fault}: {", ".join(map(str, found))}' for fault, found in faults.items() if found
        )
        raise InvalidInputError(
            f'{name} has {len(order)} ids: expected each of 1..{total} once{detail}'
        )
    return tuple(c for c in order if c is not None)


def _index(value: Any) -> int | None:
    """Returns a whole number as int, and None for anything else, bool included."""
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None
