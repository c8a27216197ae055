"""Start a tool of the library as a child process that ends with its parent."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
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


def start_logged(
    command: Sequence[str], log: Path, environment: dict[str, str], keep_open: Sequence[int] = ()
) -> subprocess.Popen:
    """Start a command whose output is appended to a log.

    The command gets a process group of its own, which :func:`stop` ends.  On Linux it also ends
    when this process is killed; call this function in the main thread then.

    Args:
        command: The command line.
        log: The file of the log; its folder is created.
        environment: The environment of the command.
        keep_open: File descriptors that the command inherits.

    Returns:
        The running process.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open('ab') as file:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environment,
            pass_fds=keep_open,
            start_new_session=True,
            preexec_fn=die_with_parent(),
        )


def stop(*processes: subprocess.Popen) -> None:
    """Interrupt all process groups at once, then kill those that did not end.

    The groups get up to :data:`GRACE` seconds between the two; another Ctrl-C ends the wait.

    Args:
        processes: The first process of each group.
    """
    try:
        for process in processes:
            send(process, signal.SIGINT)
        end = time.monotonic() + GRACE
        for process in processes:
            process.wait(max(end - time.monotonic(), 0))
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        pass
    finally:
        for process in processes:
            send(process, signal.SIGKILL)
        for process in processes:
            process.wait()


def send(process: subprocess.Popen, number: int) -> None:
    """Send a signal to a process group, if there is still one.

    Args:
        process: The first process of the group.
        number: The signal.
    """
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def die_with_parent() -> Callable[[], None] | None:
    """Return a function that lets a new process end when this one dies; None outside Linux.

    The new process has to call it before it starts its program.
    """
    if not sys.platform.startswith('linux'):
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def tie() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # of a cluster, to a job: see TrainingJob
        if os.getppid() != parent:  # the parent died before the call
            os._exit(1)

    return tie
