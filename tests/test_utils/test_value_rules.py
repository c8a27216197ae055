import numpy as np
import pytest

from incseg.errors import InvalidInputError
from incseg.utils.rules import (
    NOT_NEGATIVE,
    NUMBER,
    POSITIVE,
    SHARE,
    SWITCH,
    check_values,
    checked,
    one_of,
    or_none,
    several,
    whole,
)

NAN, INF = float('nan'), float('inf')


@pytest.mark.parametrize(
    ('rule', 'allowed', 'refused'),
    [
        (whole(1), (1, 7), (0, -1, 1.0, True, '1', None)),
        (NUMBER, (-1.5, 0, np.float64(2)), (True, '1', None, NAN, INF, -INF, [1], 1j)),
        (POSITIVE, (1e-9, 3, 10**400), (0, -1, NAN, INF, True, 'a', None)),
        (NOT_NEGATIVE, (0, 0.5), (-1e-9, NAN, INF, False, [1])),
        (SHARE, (0, 1, 0.5), (-0.1, 1.1, NAN, True, 'a')),
        (SWITCH, (True, False), (1, 0, 'x', None)),
        (one_of('a', 'b'), ('a', 'b'), ('ab', '', 1, ['a'], None)),
        (or_none(SHARE), (None, 0.5), (2, 'None')),
        (several(POSITIVE), ((1.0,), [0.5, 2]), ((), None, 1.0, '12', (1, 'a'), (1, 0))),
    ],
)
def test_rules(rule, allowed, refused):
    """Limits belong to the range, a bool is no number, and nothing raises whatever comes."""
    assert all(rule[0](value) for value in allowed)
    assert not any(rule[0](value) for value in refused)


def test_names_key_value_and_what_is_allowed():
    """If it fails, a user has to guess which option is meant."""
    rules = {'a': whole(1), 'b': or_none(several(POSITIVE))}
    check_values('x', dict(a=1, b=None, other='?'), rules)
    check_values('x', {}, rules)
    with pytest.raises(InvalidInputError, match=r'^x\.a is 0, expected a whole number of at le'):
        check_values('x', dict(a=0, b='?'), rules)
    with pytest.raises(
        InvalidInputError,
        match=r"x\.b is '\?', expected a list of one or more, each a number above 0, or None$",
    ):
        check_values('x', dict(a=1, b='?'), rules)


def test_a_single_value():
    """It is handed through, or named with what is allowed."""
    assert checked('x', 0.5, SHARE) == 0.5
    with pytest.raises(InvalidInputError, match=r"^x is 'a', expected a number of 0 to 1$"):
        checked('x', 'a', SHARE)
