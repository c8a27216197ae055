import pytest

from incseg.apis.command_line import command_line, one_line
from incseg.errors import InvalidInputError


def test_a_users_mistake_is_one_line():
    """No traceback for what the user can mend; exit status 1."""
    def main():
        raise InvalidInputError('x is 3, allowed: 4')
    with pytest.raises(SystemExit, match='error: x is 3, allowed: 4'):
        command_line(main)


def test_our_mistakes_keep_their_traceback():
    """A bug must not be dressed up as a user's mistake."""
    def main():
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError):
        command_line(main)


def test_error_from_a_loaders_worker():
    """DataLoader wraps the message into a traceback; the line is taken out of it."""
    error = InvalidInputError(
        'Caught InvalidInputError in DataLoader worker process 0.\nOriginal Traceback (most '
        'recent call last):\n  File "x.py", line 3, in y\n'
        'incseg.errors.InvalidInputError: image a.jpg is cut short: 3 bytes\n')
    assert one_line(error) == 'image a.jpg is cut short: 3 bytes'
