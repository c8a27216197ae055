"""Start a tool of the library as a child process that ends with its parent."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from incseg.utils.repository import tools_folder

PR_SET_PDEATHSIG = 1  # Linux: which signal a process gets when its parent dies
#: seconds that an interrupted training has to close its files
GRACE = 20.0


def tool_command(name: str, *arguments: str, processes: int = 0) -> list[str]:
    """Return the command line that runs ``tools/<name>`` with this Python.

    Args:
        name: ``'train'`` or ``'test'``; any other tool without ``processes``.
        arguments: The arguments; the config comes first.
        processes: The number of processes for torchrun; 0 starts no torchrun.
    """
    here, folder = Path.cwd(), tools_folder()
    folder = folder.relative_to(here) if folder.is_relative_to(here) else folder
    if processes:
        return [str(folder / f'dist_{name}.sh'), arguments[0], str(processes), *arguments[1:]]
    return [sys.executable, str(folder / f'{name}.py'), *arguments]


def environment(processes: int) -> dict[str, str]:
    """Return the environment variables for a tool.

    Args:
        processes: The number of processes for torchrun; if it is not 0, the environment also
            names this Python and a free port.
    """
    if not processes:
        return dict(os.environ)
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return dict(os.environ, PYTHON=sys.executable, PORT=str(probe.getsockname()[1]))


def run_logged(
    command: Sequence[str], log: Path, environment: dict[str, str], keep_open: Sequence[int] = ()
) -> int:
    """Run a command to its end and append its output to a log.

    The command gets a process group of its own.  Ctrl-C and SIGTERM are passed
    on to the group, which is killed if it does not end in time.  On Linux the
    command also ends when this process is killed.

    Args:
        command: The command line.
        log: The file of the log; its folder is created.
        environment: The environment of the command.
        keep_open: File descriptors that the command inherits.

    Returns:
        The exit status, negative for the signal that killed the command.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open('ab') as file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environment,
            pass_fds=keep_open,
            start_new_session=True,
            preexec_fn=die_with_parent(),
        )
        try:
            return process.wait()
        except BaseException:
            stop(process)
            raise


def stop(process: subprocess.Popen) -> None:
    """Interrupt a process group, and kill what is left of it.

    The group gets up to :data:`GRACE` seconds between the two.

    Args:
        process: The first process of the group.
    """
    try:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        process.wait(GRACE)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        pass
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def die_with_parent() -> Callable[[], None] | None:
    """Return a function that lets a new process end when this one dies; None outside Linux.

    The new process has to call it before it starts its program.
    """
    if not sys.platform.startswith('linux'):
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def tie() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # the parent died before the call
            os._exit(1)

    return tie
