import pytest

from incseg.engine.recipe.experiment import resolve
from incseg.errors import InvalidInputError


def test_resolve():
    """A thing said once reaches every place that refers to it, through other references too."""
    settings = dict(a='$b', b=[1, 2])
    assert resolve({'x': ['$a', 'plain'], 'y': {'z': '$b'}}, settings) == {
        'x': [[1, 2], 'plain'],
        'y': {'z': [1, 2]},
    }
    with pytest.raises(InvalidInputError, match=r"uses '\$c', but has no key 'c'"):
        resolve('$c', settings)
