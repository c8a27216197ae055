"""What an option may be: tables of rules, and the check that refuses in one line."""

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from numbers import Real
from typing import Any, TypeAlias, TypeVar

from incseg.errors import InvalidInputError

#: whether a value is allowed, and in words what is
Rule: TypeAlias = tuple[Callable[[Any], bool], str]


T = TypeVar('T')


def checked(name: str, value: T, rule: Rule) -> T:
    """The value, if the rule allows it.

    Args:
        name: what the user calls it, for the error.
        value: what was given.
        rule: what it may be.

    Raises:
        InvalidInputError: in one line with the name, the value and what is allowed.
    """
    allows, words = rule
    if not allows(value):
        raise InvalidInputError(f'{name} is {value!r}, expected {words}')
    return value


def check_values(where: str, values: Mapping[str, Any], rules: Mapping[str, Rule]) -> None:
    """Check the options that there is a rule for.

    Args:
        where: what they are options of, as an error names it.
        values: the options by name; one that is left out is not checked.
        rules: the rules by name.

    Raises:
        InvalidInputError: naming the first that is not allowed.
    """
    for key, rule in rules.items():
        if key in values:
            checked(f'{where}.{key}', values[key], rule)


def is_number(value: Any) -> bool:
    """A finite number; a bool is none."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    return bool(-inf < value < inf)  # type: ignore[operator]


def whole(least: int) -> Rule:
    """A whole number from ``least`` on."""

    def allows(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= least

    return allows, f'a whole number of at least {least}'


def one_of(*names: str) -> Rule:
    """One of some words."""

    def allows(value: Any) -> bool:
        return isinstance(value, str) and value in names

    return allows, ' or '.join(map(repr, names))


def or_none(rule: Rule) -> Rule:
    """What the rule allows, or None."""
    return lambda value: value is None or rule[0](value), f'{rule[1]}, or None'


def several(rule: Rule) -> Rule:
    """A list or tuple, not empty, of what the rule allows."""

    def allows(value: Any) -> bool:
        listed = isinstance(value, Sequence) and not isinstance(value, str)
        return listed and len(value) > 0 and all(map(rule[0], value))

    return allows, f'a list of one or more, each {rule[1]}'


NUMBER: Rule = (is_number, 'a number')
POSITIVE: Rule = (lambda value: is_number(value) and value > 0, 'a number above 0')
NOT_NEGATIVE: Rule = (lambda value: is_number(value) and value >= 0, 'a number of at least 0')
SHARE: Rule = (lambda value: is_number(value) and 0 <= value <= 1, 'a number of 0 to 1')
SWITCH: Rule = (lambda value: isinstance(value, bool), 'True or False')


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
