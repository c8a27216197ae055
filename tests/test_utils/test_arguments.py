"""Checks of arguments: what passes is plain int, what does not is named in one line."""

import numpy as np
import pytest

from incseg.errors import InvalidInputError
from incseg.utils.rules import permutation, whole_number


@pytest.mark.parametrize('value', [1, 3, np.int64(2), np.uint8(1)])
def test_whole_numbers_pass_as_int(value):
    number = whole_number('n', value, 1, 3)
    assert type(number) is int and number == value


def test_no_upper_bound():
    assert whole_number('n', 10**30, 0) == 10**30
    with pytest.raises(InvalidInputError, match='^n=-1: expected a whole number of at least 0$'):
        whole_number('n', -1, 0)


@pytest.mark.parametrize('value', [0, 4, True, 2.0, '2', None, [2], np.bool_(True)])
def test_others_are_refused(value):
    with pytest.raises(InvalidInputError) as caught:
        whole_number('n', value, 1, 3, ' (why)')
    assert str(caught.value) == f'n={value!r}: expected a whole number from 1 to 3 (why)'


@pytest.mark.parametrize('given', [(2, 3, 1), [2, 3, 1], np.array([2, 3, 1]), iter((2, 3, 1))])
def test_permutations_pass_as_tuples_of_int(given):
    order = permutation('order', given, 3)
    assert order == (2, 3, 1) and all(type(c) is int for c in order)


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ([1, 2, 2], 'order has 3 ids: expected each of 1..3 once; repeated: 2; missing: 3'),
        ([1, 2], 'order has 2 ids: expected each of 1..3 once; missing: 3'),
        ([0, 1, 2, 3], 'order has 4 ids: expected each of 1..3 once; not a class: 0'),
        (7, 'order has 1 ids: expected each of 1..3 once; missing: 1, 2, 3; not a class: 7'),
    ],
)
def test_faults_are_listed(given, message):
    with pytest.raises(InvalidInputError) as caught:
        permutation('order', given, 3)
    assert str(caught.value) == message
