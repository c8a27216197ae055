"""Checks of values: what passes is handed on, what does not is refused in one form."""

import numpy as np
import pytest

from incseg.errors import InvalidInputError
from incseg.utils.rules import (
    NOT_NEGATIVE,
    NUMBER,
    POSITIVE,
    SHARE,
    SWITCH,
    any_of,
    check_keys,
    check_values,
    checked,
    expected,
    one_of,
    or_none,
    permutation,
    several,
    whole,
    whole_number,
)

NAN, INF = float('nan'), float('inf')


def test_one_form_of_refusal():
    """If it fails, messages differ in form, or a huge value floods the terminal."""
    error = expected('seam.scope', 'old', any_of(['all', 'step']))
    assert isinstance(error, InvalidInputError) and isinstance(error, ValueError)
    assert str(error) == "seam.scope is 'old', expected 'all' or 'step'"
    assert (any_of('abc'), any_of([3])) == ("'a', 'b' or 'c'", '3')
    hinted = "a network; did you mean 'wide_18'?"
    assert str(expected('name', 'wide18', hinted)) == f"name is 'wide18', expected {hinted}"
    assert str(expected('name', 'wide18', "'wide_18'")).endswith("; did you mean 'wide_18'?")
    text = str(expected('steps', list(range(10**4)), 'fewer'))
    assert text.startswith('steps is [0, 1, ') and text.endswith('…, expected fewer')
    assert len(text) < 330


@pytest.mark.parametrize(
    ('rule', 'allowed', 'refused'),
    [
        (whole(1), (1, 7), (0, -1, 1.0, True, '1', None)),
        (NUMBER, (-1.5, 0, np.float64(2)), (True, '1', None, NAN, INF, -INF, [1], 1j)),
        (POSITIVE, (1e-9, 3, 10**308), (0, -1, 10**400, NAN, INF, True, 'a', None)),
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


def test_options_with_rules():
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
    """If it fails, a checked value is lost, or a wrong one is not named."""
    assert checked('x', 0.5, SHARE) == 0.5
    with pytest.raises(InvalidInputError, match=r"^x is 'a', expected a number from 0 to 1$"):
        checked('x', 'a', SHARE)


@pytest.mark.parametrize(
    ('section', 'message'),
    [
        (3, 'x is 3, expected a dict with one'),
        (dict(one=1, tow=2), "unknown key 'x.tow' of x; did you mean 'x.two'?"),
        (dict(one=1, q=2), "unknown key 'x.q' of x; expected 'x.one' or 'x.two'"),
        (dict(two=2), "the config has no 'x.one'"),
    ],
)
def test_keys_of_a_section(section, message):
    """If it fails, a mistyped key of a section is taken for its default."""
    check_keys('x', dict(one=1), {'one'}, {'two'})
    with pytest.raises(InvalidInputError) as caught:
        check_keys('x', section, {'one'}, {'two'})
    assert str(caught.value) == message


@pytest.mark.parametrize('value', [1, 3, np.int64(2), np.uint8(1)])
def test_whole_numbers_pass_as_int(value):
    """If it fails, numpy's integers reach code that expects Python's."""
    number = whole_number('n', value, 1, 3)
    assert type(number) is int and number == value


def test_no_upper_bound():
    """If it fails, the lower bound is not checked where there is no upper one."""
    assert whole_number('n', 10**30, 0) == 10**30
    with pytest.raises(InvalidInputError, match='^n is -1, expected a whole number of at least 0$'):
        whole_number('n', -1, 0)


@pytest.mark.parametrize('value', [0, 4, True, 2.0, '2', None, [2], np.bool_(True)])
def test_other_values_are_refused(value):
    """If it fails, a bool, a float or a number out of range passes as a whole number."""
    with pytest.raises(InvalidInputError) as caught:
        whole_number('n', value, 1, 3, ' (why)')
    assert str(caught.value) == f'n is {value!r}, expected a whole number from 1 to 3 (why)'


@pytest.mark.parametrize('values', [(2, 3, 1), [2, 3, 1], np.array([2, 3, 1]), iter((2, 3, 1))])
def test_permutations_pass_as_tuples_of_int(values):
    """If it fails, a class order given as an array or an iterator is refused or not copied."""
    order = permutation('order', values, 3)
    assert order == (2, 3, 1) and all(type(c) is int for c in order)


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ([1, 2, 2], 'order is [1, 2, 2], expected each of 1..3 once; repeated: 2; missing: 3'),
        ([1, 2], 'order is [1, 2], expected each of 1..3 once; missing: 3'),
        ([0, 1, 2, 3], 'order is [0, 1, 2, 3], expected each of 1..3 once; not a class: 0'),
        (7, 'order is [7], expected each of 1..3 once; missing: 1, 2, 3; not a class: 7'),
    ],
)
def test_faults_of_a_permutation_are_listed(values, message):
    """If it fails, a user has to look for the repeated class in a list of 80."""
    with pytest.raises(InvalidInputError) as caught:
        permutation('order', values, 3)
    assert str(caught.value) == message
