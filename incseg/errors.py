"""Errors caused by what the user gave us.

Each carries one line that names the file or key, the offending value and what
is allowed.  They are also the ordinary Python errors (``ValueError``,
``FileNotFoundError``, …), so library callers can catch what they expect; the
command line prints :class:`UserError` without a traceback.
"""


class UserError(Exception):
    """Base of every error that the user's input causes; its argument is the message to show."""


class InvalidInputError(UserError, ValueError):
    """A value, a key or the content of a file is not acceptable; it is a ``ValueError`` too."""


class MissingFileError(UserError, FileNotFoundError):
    """A file or folder is not where it was looked for; it is a ``FileNotFoundError`` too."""


class SaveError(UserError, OSError):
    """A file could not be written; it is an ``OSError`` too.

    If the file existed before, its old content is still there.
    """


class NonFiniteLossError(UserError, ArithmeticError):
    """A loss became NaN or infinite; it is an ``ArithmeticError`` too."""
