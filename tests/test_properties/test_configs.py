"""No value of any key of a config is a traceback."""

import warnings

from hypothesis import given

from incseg.errors import UserError
from tests.test_properties.config_values import build, overridden, overrides


@given(overrides())
def test_no_value_is_a_traceback(case):
    """If it fails, a user's slip is a traceback, at the start or hours later.

    A config is refused in one line, or what its first two steps are trained with can be built.
    """
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            build(overridden(*case))
        except UserError as error:
            assert str(error) and '\n' not in str(error)
