"""What an option may be: tables of rules, and the check that refuses in one line."""
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any, TypeAlias

from incseg.errors import InvalidInputError

#: whether a value is allowed, and in words what is
Rule: TypeAlias = tuple[Callable[[Any], bool], str]


def check_values(where: str, values: Mapping[str, Any], rules: Mapping[str, Rule]) -> None:
    """Check the options that there is a rule for.

    Args:
        where: what they are options of, as an error names it.
        values: the options by name; one that is left out is not checked.
        rules: the rules by name.

    Raises:
        InvalidInputError: naming the first that is not allowed.
    """
    for key, (allows, words) in rules.items():
        if key in values and not allows(values[key]):
            raise InvalidInputError(f'{where}.{key} is {values[key]!r}, expected {words}')


def is_number(value: Any) -> bool:
    """A finite number; a bool is none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -inf < value < inf


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


POSITIVE: Rule = (lambda value: is_number(value) and value > 0, 'a number above 0')
NOT_NEGATIVE: Rule = (lambda value: is_number(value) and value >= 0, 'a number of at least 0')
SHARE: Rule = (lambda value: is_number(value) and 0 <= value <= 1, 'a number of 0 to 1')
SWITCH: Rule = (lambda value: isinstance(value, bool), 'True or False')
