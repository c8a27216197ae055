"""Arguments: their names through base classes, and the values that annotations exclude."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Optional

import pytest
from torch import Tensor

from incseg.errors import InvalidInputError
from incseg.utils.signatures import arguments, check_arguments


class Base:
    """A class that hands nothing on."""

    def __init__(self, size, *, rate=1.0):
        pass


class Child(Base):
    """A class that hands ``**kwargs`` on to its base."""

    def __init__(self, name, **kwargs):
        pass


def test_arguments_reach_through_kwargs():
    """If it fails, an argument of a base class is an unknown key, or a mistyped one is known."""
    assert arguments(Child) == {'name', 'size', 'rate'} and arguments(Base) == {'size', 'rate'}
    assert arguments(lambda a, b=1: a) == {'a', 'b'}
    assert arguments(lambda a, **kwargs: a) is None


NAN, INF = float('nan'), float('inf')


class Typed(Base):
    """Arguments of all kinds."""

    def __init__(
        self,
        number: int = 1,
        share: float = 0.5,
        limit: float = INF,
        name: str = '',
        on: bool = False,
        words: Literal['a', 'b', 3] = 'a',
        ids: Sequence[int] = (),
        pair: tuple[float, str] = (0.0, ''),
        parts: Mapping[str, dict | None] | None = None,
        place: str | Path = '.',
        old: Optional[int] = 2,  # noqa: UP045 (as libraries of the past write it)
        implicit: int = None,
        text: 'int | None' = None,
        unknown: 'Nowhere' = None,  # noqa: F821
        weight: float | Tensor = 1.0,
        anything: Any = None,
        bare=None,
        listed: list = (),
        **kwargs,
    ):
        pass


@pytest.mark.parametrize(
    ('name', 'allowed', 'refused', 'words'),
    [
        ('number', [3, -1, 10**30], [True, 1.0, 'x', None, NAN, [1], 10**400], 'a whole number'),
        ('share', [1, 0.5, 1e308], [True, NAN, INF, 10**400, 'x', None, (1,)], 'a number'),
        ('limit', [INF, 3], [NAN, 'x'], 'a number'),
        ('name', ['', 'x'], [None, 3, b'x', ['x']], 'text'),
        ('on', [True, False], [0, 1, 'no', None], 'True or False'),
        ('words', ['a', 'b', 3], ['c', 3.0, None, []], "'a' or 'b' or 3"),
        ('ids', [(), [1, 2], (3,)], ['12', [1, 'x'], 3, {1: 2}, [1.0]], r'a list \(each a whole'),
        (
            'pair',
            [(1, 'x'), [0.5, 'y']],
            [('x', 1), 3, [NAN, 'x']],
            r'a list \(each a number or te',
        ),
        ('parts', [None, {}, {'a': {}, 'b': None}], [3, [], 'x', {'a': 3}], 'a dict or None'),
        ('place', ['x', Path('x')], [3, None, b'x'], 'text or a path'),
        ('old', [3, None], ['x', 1.5], 'a whole number or None'),
        ('implicit', [3, None], ['x'], 'a whole number'),
        ('text', [3, None], ['x'], 'a whole number or None'),
        ('unknown', [3, None, 'x'], [], ''),
        ('weight', [1.0, 'x'], [], ''),
        ('anything', [1.0, 'x'], [], ''),
        ('bare', [1.0, 'x'], [], ''),
        ('listed', [(), [1, 'x']], ['x', 3, {}], 'a list$'),
        ('rate', [1, 'x'], [], ''),
        ('nothing_of_the_kind', [1, 'x'], [], ''),
    ],
)
def test_values_that_an_annotation_excludes(name, allowed, refused, words):
    """If it fails, a value of the wrong kind is a traceback from inside a part, or a right one is
    refused."""
    for value in allowed:
        check_arguments('part', Typed, {name: value})
    for value in refused:
        with pytest.raises(InvalidInputError, match=f'^part.{name} is .*, expected {words}'):
            check_arguments('part', Typed, {name: value})


def test_the_nearest_annotation_counts():
    """If it fails, a class cannot take more than its base."""

    class Wider(Typed):
        def __init__(self, number: int | str = 1, **kwargs):
            pass

    check_arguments('part', Wider, {'number': 'x', 'share': 1})
    with pytest.raises(InvalidInputError, match='part.share'):
        check_arguments('part', Wider, {'share': 'x'})
