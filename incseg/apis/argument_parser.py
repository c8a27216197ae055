import argparse
from typing import Any, NoReturn


class ArgumentParser(argparse.ArgumentParser):
    """argparse's, whose complaint about the command line is one line, like every other mistake.

    Abbreviated options are not known: they would change their meaning when
    another option is added.  The exit status is argparse's own, 2.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(allow_abbrev=False, **kwargs)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f'error: {message} (--help lists all arguments)\n')


def whole_number(text: str) -> int:
    """An argument's ``type``: says in words what is expected."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r} is no whole number') from None
