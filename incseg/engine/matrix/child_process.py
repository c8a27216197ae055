"""A subprocess that ends when its parent does, and ends whole."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1  # Linux: which signal a process gets when its parent dies
#: seconds an interrupted training may take to close its files
GRACE = 20.0


def run_logged(
    command: Sequence[str], log: Path, environment: dict[str, str], keep_open: Sequence[int] = ()
) -> int:
    """Run a command to its end, its output appended to a log.

    It runs in a process group of its own.  Ctrl-C (or SIGTERM) is passed on to
    all of the group, which is waited for, and killed when it does not end; on
    Linux the command is also ended when this process is killed.

    Args:
        command: The command line.
        log: The log's file; its folder is made.
        environment: The command's environment.
        keep_open: File descriptors that the command inherits.

    Returns:
        Its exit status, negative for the signal that killed it.
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
    """Interrupt a process group; kill what has not ended after :data:`GRACE` seconds."""
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
    """What the new process runs first, where the system can do it."""
    if not sys.platform.startswith('linux'):
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before it could be asked
            os._exit(1)

    return ask
