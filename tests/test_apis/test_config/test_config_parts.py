import pytest

from incseg.apis.config.parts import arguments, check_part
from incseg.errors import InvalidInputError
from incseg.registry import MODELS


def test_arguments_reach_through_kwargs():
    """FCNHead hands **kwargs on: its base's arguments are allowed, others are not."""
    head = MODELS.get('FCNHead')
    assert {'in_channels', 'channels', 'dropout_ratio', 'norm_cfg'} <= arguments(head)
    assert 'num_convs' not in arguments(head)


def test_part_without_a_type():
    """A part must say what it is."""
    with pytest.raises(InvalidInputError, match=r'x is 3, expected dict\(type='):
        check_part('x', 3, MODELS)
    check_part('x', None, MODELS)
