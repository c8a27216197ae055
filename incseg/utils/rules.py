"""Rules for values, and the one form in which every check refuses a value."""

import math
import operator
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from numbers import Real
from os.path import splitext
from typing import Any, TypeAlias, TypeVar

from incseg.errors import InvalidInputError

#: a test of a value, and the values that pass it in words: ``(allows, 'a number above 0')``
Rule: TypeAlias = tuple[Callable[[Any], bool], str]

T = TypeVar('T')

#: longest representation of a value in a message
LONGEST = 300
#: the largest number that a float can hold; Python's whole numbers have no end
LARGEST = sys.float_info.max


def expected(key: str, value: Any, what: str) -> InvalidInputError:
    """Return the error that refuses a value: ``{key} is {value!r}, expected {what}``.

    Every check of the library words its refusal here::

        raise expected('seam.scope', scope, any_of(SCOPES))

    A text that is similar to one that is allowed gets that as a hint, a number that is not
    finite the word ``finite``.

    Args:
        key: The setting or argument, as the user writes it.
        value: The value that is refused; only its first 300 characters are shown.
        what: The values that are allowed, in words; with ``did you mean`` no hint is added.
    """
    text = repr(value)
    if len(text) > LONGEST:
        text = f'{text[: LONGEST - 1]}…'
    if any(isinstance(each, float) and not math.isfinite(each) for each in _parts(value)):
        what += ', finite'
    return InvalidInputError(f'{key} is {text}, expected {what}{_similar_text(value, what)}')


def _parts(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else (value,)


def _similar_text(value: Any, what: str) -> str:
    """Return the hint at an allowed text, as ``what`` quotes it, that a refused one is like."""
    allowed = re.findall(r"'([^']+)'", what)
    texts = [each for each in _parts(value) if isinstance(each, str) and each not in allowed]
    close = next((found for each in texts if (found := similar(each, allowed))), None)
    return '' if close is None or 'did you mean' in what else f'; did you mean {close!r}?'


def printable(text: str) -> str:
    """Return a text that can be drawn and written: bytes that are not UTF-8 become ``\\udc..``."""
    return text.encode('utf-8', 'backslashreplace').decode()


def any_of(names: Iterable[Any]) -> str:
    """Return the words for a choice: ``'a', 'b' or 'c'``; ``nothing`` for no names."""
    *others, last = [repr(name) for name in names] or ['nothing']
    return f'{", ".join(others)} or {last}' if others else last


def similar(name: str, names: Iterable[str]) -> str | None:
    """Return the most similar of the names; None if no name is similar.  Case does not count."""
    known = {each.lower(): each for each in sorted(names, reverse=True)}
    close = get_close_matches(name.lower(), known, 1)
    return known[close[0]] if close else None


def unknown_key(
    key: str, where: str, allowed: Iterable[str], advice: str = ''
) -> InvalidInputError:
    """Return the error that refuses a key, with the most similar of the allowed keys.

    Args:
        key: The key, as the user writes it.
        where: The part that has no such key, as the message names it.
        allowed: The keys that the part has, written in the same way.
        advice: The end of the message where no key is similar.
    """
    allowed = sorted(allowed)
    section, _, name = key.rpartition('.')
    # in one section only the last part may be misspelt; a long section would make all similar
    siblings = {each.rpartition('.')[2]: each for each in allowed if each.startswith(f'{section}.')}
    close = [siblings[each] for each in get_close_matches(name, siblings, 1)]
    close = close or get_close_matches(key, {*allowed} - {*siblings.values()}, 1)
    hint = f'did you mean {close[0]!r}?' if close else f'expected {any_of(allowed)}{advice}'
    return InvalidInputError(f'unknown key {key!r} of {where}; {hint}')


def check_keys(
    where: str, section: Any, required: Collection[str], optional: Collection[str] = ()
) -> None:
    """Refuse a section that is no dict, has an unknown key or lacks a required one.

    Args:
        where: The section's dotted key.
        section: Its value.
        required: Keys that it must have.
        optional: Keys that it may have.

    Raises:
        InvalidInputError: Naming the section or the first such key.
    """
    if not isinstance(section, Mapping):
        names = ', '.join(sorted(required))
        raise expected(where, section, f'a dict with {names}' if names else 'a dict')
    allowed = {f'{where}.{key}' for key in (*required, *optional)}
    for key in section:
        if f'{where}.{key}' not in allowed:
            raise unknown_key(f'{where}.{key}', where, allowed)
    for key in sorted({*required} - {*section}):
        raise InvalidInputError(f"the config has no '{where}.{key}'")


def checked(name: str, value: T, rule: Rule) -> T:
    """Return the value if it passes a test; else raise an error that says what is allowed.

    Args:
        name: The setting or argument, as the user writes it.
        value: Its value.
        rule: The test, and the values that pass in words: ``(allows, 'a number above 0')``.

    Raises:
        InvalidInputError: The value is not allowed; names it and what is.
    """
    allows, words = rule
    if not allows(value):
        raise expected(name, value, words)
    return value


def check_values(where: str, values: Mapping[str, Any], rules: Mapping[str, Rule]) -> None:
    """Check the options that have a rule.

    Args:
        where: The part that has the options, as an error names it.
        values: The options by name; an option without a rule is not checked.
        rules: By option, ``(test, allowed values in words)``; a rule without an option is not
            used.

    Raises:
        InvalidInputError: Naming the first option that is not allowed.
    """
    for key, rule in rules.items():
        if key in values:
            checked(f'{where}.{key}', values[key], rule)


def is_number(value: Any) -> bool:
    """Say whether a value is a number that a float can hold; infinity and a bool are not."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    return bool(-LARGEST <= value <= LARGEST)  # type: ignore[operator]


def whole(least: int, most: int | None = None) -> Rule:
    """Return the :data:`Rule` for :func:`checked` that allows whole numbers from ``least`` on.

    Args:
        least: The least number.
        most: The greatest; None for the greatest of 64 bits, which is not worth a word.
    """
    top = 2**63 - 1 if most is None else most

    def allows(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and least <= value <= top

    limits = f'of at least {least}' if most is None else f'from {least} to {most}'
    return allows, f'a whole number {limits}'


def one_of(*names: str) -> Rule:
    """Return the :data:`Rule` for :func:`checked` that allows only the given words."""

    def allows(value: Any) -> bool:
        return isinstance(value, str) and value in names

    return allows, any_of(names)


def or_none(rule: Rule) -> Rule:
    """Return a :data:`Rule` that allows None and what the given one allows."""
    return lambda value: value is None or rule[0](value), f'{rule[1]}, or None'


def several(rule: Rule) -> Rule:
    """Return the rule for a list or tuple of at least one value, each of which fits a given rule.

    Args:
        rule: The rule of each value: a test, and the allowed values in words.
    """

    def allows(value: Any) -> bool:
        listed = isinstance(value, Sequence) and not isinstance(value, str)
        return listed and len(value) > 0 and all(map(rule[0], value))

    return allows, f'a list of one or more, each {rule[1]}'


def one_or_list(rule: Rule) -> Rule:
    """Return a :data:`Rule` for one value, or a list or tuple of one or more such values."""

    def allows(value: Any) -> bool:
        values = value if isinstance(value, list | tuple) else [value]
        return len(values) > 0 and all(map(rule[0], values))

    return allows, f'{rule[1]}, or a list of them'


def by_name(rule: Rule) -> Rule:
    """Return a :data:`Rule` for a dict, each value of which the given one allows."""

    def allows(value: Any) -> bool:
        return isinstance(value, Mapping) and all(map(rule[0], value.values()))

    return allows, f'a dict (each value {rule[1]})'


ANYTHING: Rule = (lambda value: True, 'anything')
TEXT: Rule = (lambda value: isinstance(value, str), 'text')
DICT: Rule = (lambda value: isinstance(value, Mapping), 'a dict')
NUMBER: Rule = (is_number, 'a number')
POSITIVE: Rule = (lambda value: is_number(value) and value > 0, 'a number above 0')
NOT_NEGATIVE: Rule = (lambda value: is_number(value) and value >= 0, 'a number of at least 0')
SHARE: Rule = (lambda value: is_number(value) and 0 <= value <= 1, 'a number from 0 to 1')
SWITCH: Rule = (lambda value: isinstance(value, bool), 'True or False')
WEIGHTS: Rule = (
    lambda value: isinstance(value, bool) or (isinstance(value, str) and bool(splitext(value)[1])),
    'True, False or the path of a file of weights',
)


def whole_number(name: str, value: Any, low: int, high: int | None = None, why: str = '') -> int:
    """Return a whole number from ``low`` to ``high`` (without ``high``: from ``low`` on) as int.

    Unlike the rule :func:`whole` it takes the integers of numpy and torch.

    Args:
        name: The setting or argument, as the user writes it.
        value: Its value.
        low: The least number allowed.
        high: The greatest number allowed; None for no limit.
        why: The end of the message.

    Raises:
        InvalidInputError: The value is no such number.
    """
    number = _index(value)
    if number is None or number < low or (high is not None and number > high):
        limits = f'of at least {low}' if high is None else f'from {low} to {high}'
        raise expected(name, value, f'a whole number {limits}{why}')
    return number


def permutation(name: str, values: Iterable[Any], total: int) -> tuple[int, ...]:
    """Return the values as a tuple of int, once they are a permutation of 1..total.

    Args:
        name: The setting or argument, as the user writes it.
        values: The numbers.
        total: How many there must be.

    Raises:
        InvalidInputError: It is none; the message lists what is repeated, missing or foreign.
    """
    try:
        listed = list(values)
    except TypeError:
        listed = [values]
    order = [_index(value) for value in listed]
    classes = range(1, total + 1)
    faults = {
        'repeated': [c for c in classes if order.count(c) > 1],
        'missing': [c for c in classes if c not in order],
        'not a class': [value for value, c in zip(listed, order, strict=True) if c not in classes],
    }
    if any(faults.values()):
        detail = ''.join(
            f'; {fault}: {", ".join(map(str, ids))}' for fault, ids in faults.items() if ids
        )
        raise expected(name, listed, f'each of 1..{total} once{detail}')
    return tuple(c for c in order if c is not None)


def _index(value: Any) -> int | None:
    """Return a whole number as int, and None for anything else, bool included."""
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None
