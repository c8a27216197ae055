"""What an option may be: tables of rules, and the check that refuses in one line."""
from collections.abc import Callable, Mapping, Sequence
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
