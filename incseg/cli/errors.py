"""What a command does with errors: a user's mistake is one line, never a traceback."""

import errno
import os
import select
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from incseg.errors import UserError

#: numbers of the system's errors where a disk is full or a quota is used up
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
FROM_CHECKPOINT = '--resume goes on from the last checkpoint, if there is one'


def command_line(main: Callable[[], None], after_interrupt: str = FROM_CHECKPOINT) -> None:
    """Run a command; turn a user's mistake into one line and exit status 1.

    The command ends silently when nobody reads its output any more (``… | head``).

    Args:
        main: The command.
        after_interrupt: The advice for a run that Ctrl-C has stopped.
    """
    if hasattr(sys.stdout, 'reconfigure'):  # names of files that are not UTF-8, as on stderr
        sys.stdout.reconfigure(errors='backslashreplace')
    plain = warnings.formatwarning
    warnings.formatwarning = one_line_warning
    try:
        main()
    except UserError as error:
        sys.exit(f'error: {one_line(error)}')
    except KeyboardInterrupt:
        sys.exit(f'interrupted; {after_interrupt}')
    except SyntaxError as error:  # mmengine's, where Ctrl-C stops its layout of a config
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        sys.exit(f'interrupted; {after_interrupt}')
    except BrokenPipeError:  # an OSError, too
        if not reader_is_gone():  # another pipe, for instance to a loader's worker: our own fault
            raise
        sys.exit(1)
    except OSError as error:  # of a writer that is not ours, such as that of mmengine's log
        if error.errno not in NO_ROOM:
            raise
        where = f'cannot write {error.filename!r}' if error.filename else 'cannot write a file'
        sys.exit(f'error: {where}: {error.strerror}; make room; {after_interrupt}')
    finally:
        warnings.formatwarning = plain
        with suppress(BrokenPipeError):
            sys.stdout.flush()
        if reader_is_gone():  # else Python complains at exit about what is left to print
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def one_line_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: Any = None
) -> str:
    """Return a warning in one line; a place in code only where it is no ``UserWarning``.

    A replacement of :func:`warnings.formatwarning`, with its arguments.
    """
    text = ' '.join(str(message).split())
    place = '' if category is UserWarning else f' ({category.__name__}, {filename}:{lineno})'
    return f'warning: {text}{place}\n'


def reader_is_gone() -> bool:
    """Tell whether standard output is a pipe that nobody reads any more."""
    poll = select.poll()
    try:
        poll.register(sys.stdout, 0)
    except (OSError, ValueError):  # not a file of the system's
        return False
    return any(event & select.POLLERR for _, event in poll.poll(0))


def one_line(error: Exception) -> str:
    """Return the message of an error, without the traceback that a loader's worker adds."""
    text = str(error).strip()
    return text.splitlines()[-1].partition(': ')[2] if text.startswith('Caught ') else text
