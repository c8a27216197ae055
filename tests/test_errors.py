import pytest

from incseg import errors


@pytest.mark.parametrize(
    ('error', 'builtin'),
    [
        (errors.InvalidInputError, ValueError),
        (errors.MissingFileError, FileNotFoundError),
        (errors.SaveError, OSError),
        (errors.NonFiniteLossError, ArithmeticError),
    ],
)
def test_users_errors_are_ordinary_errors(error, builtin):
    """Library callers catch what Python programmers expect; the command line catches UserError."""
    assert issubclass(error, builtin) and issubclass(error, errors.UserError)
    assert str(error('one line')) == 'one line'
