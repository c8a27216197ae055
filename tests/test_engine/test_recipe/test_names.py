"""``'$name'``: each thing is said once in a config, and reaches every place that refers to it."""

import re

import pytest

from incseg.engine.recipe.names import names_in, resolve
from incseg.errors import InvalidInputError


def test_names_reach_every_place():
    """If it fails, a name in a list, a tuple or another setting stays text."""
    settings = dict(a='$b', b=[1, 2])
    value = {'x': ['$a', 'plain'], 'y': {'z': ('$b', 3)}, 'w': 'a $b'}
    assert resolve(value, settings) == {
        'x': [[1, 2], 'plain'],
        'y': {'z': ([1, 2], 3)},
        'w': 'a $b',
    }
    assert value['x'] == ['$a', 'plain'] and settings['a'] == '$b', 'the config stays as it was'


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (dict(x='$c'), "x is '$c', but the config has no 'c'"),
        (
            dict(x=dict(y=[dict(z='$crop')]), crop_size=3),
            "x.y.z is '$crop', but the config has no 'crop'; did you mean $crop_size?",
        ),
        (dict(x='$a', a=dict(y='$b')), "a.y is '$b', but the config has no 'b'"),
        (dict(a='$a'), "the config uses '$a' in a circle: $a -> $a"),
        (dict(a='$b', b=dict(c=['$a'])), "the config uses '$b' in a circle: $b -> $a -> $b"),
    ],
)
def test_names_that_cannot_be_resolved(config, message):
    """If it fails, a missing name is no one-line error, or a circle ends in a traceback."""
    with pytest.raises(InvalidInputError, match=f'^{re.escape(message)}$'):
        resolve(config, config)


def test_a_name_twice_is_no_circle():
    """If it fails, two parts cannot refer to the same setting."""
    settings = dict(norm='$kind', kind='BN')
    assert resolve(['$norm', ['$norm'], '$kind'], settings) == ['BN', ['BN'], 'BN']


def test_names_that_are_used():
    """If it fails, a key that only another named setting uses is taken for a mistake."""
    settings = dict(a=dict(x='$b'), b='$a', c='$d')
    assert names_in([dict(y=('$a',)), 3, 'b$'], settings) == {'a', 'b'}
    assert names_in(dict(y='$a')) == {'a'}
    assert names_in(settings) == {'a', 'b', 'd'}
