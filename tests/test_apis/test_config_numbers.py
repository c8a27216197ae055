"""Numbers in a config."""
import pytest

from incseg.apis.config_numbers import at_least, number
from incseg.errors import InvalidInputError


@pytest.mark.parametrize('value', [True, '1', None, float('nan'), float('inf')])
def test_no_number(value):
    """If it fails, a word or NaN becomes a weight."""
    with pytest.raises(InvalidInputError, match='a.b is .*, expected a number'):
        number('a.b', value)


@pytest.mark.parametrize('value', [True, 1.0, '3', 1])
def test_not_whole_or_too_small(value):
    """If it fails, half a worker or a negative seed is taken."""
    with pytest.raises(InvalidInputError, match='k is .*, expected a whole number of at least 2'):
        at_least('k', value, 2)


def test_allowed():
    """If it fails, right values are refused."""
    number('a', -1.5)
    number('a', 2)
    at_least('k', 2, 2)
