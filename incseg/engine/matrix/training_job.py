"""A training as a job of a cluster, which goes on after preemption."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from incseg.engine.matrix import child_process
from incseg.engine.matrix.child_process import environment, send, start_logged, stop

#: seconds between two looks at the training
INTERVAL = 0.5
#: seconds that a job waits for its own end after its training got SIGTERM: a cluster that preempts
#: may tell both
WARNED = 120.0


class TrainingJob:
    """A training that submitit runs as a job, and puts back into the queue when it has to end.

    The command has ``--resume``: a job that is started again, by submitit or by the cluster itself,
    goes on at the last checkpoint.

    Args:
        command: The command line of the training.
        log: The file of its output.
        processes: The number of processes for torchrun; 0 starts no torchrun.
    """

    def __init__(self, command: Sequence[str], log: Path, processes: int = 0):
        self.command, self.log, self.processes = list(command), log, processes
        self.process: subprocess.Popen | None = None

    def __call__(self) -> int:
        """Train, and return the exit status; negative for the signal that killed the training."""
        self.process = start_logged(self.command, self.log, environment(self.processes))
        try:
            while (status := self.process.poll()) is None:
                time.sleep(INTERVAL)
            if status == -signal.SIGTERM:
                time.sleep(WARNED)
        except BaseException:  # the job ends, maybe to be started again
            stop(self.process)
            raise
        return status

    def checkpoint(self) -> Any:
        """Stop the training and return what submitit puts into the queue: the same once more.

        submitit calls this in a handler of signals, which may interrupt ``poll``: no method of
        the process is used.
        """
        from submitit.helpers import DelayedSubmission

        if self.process is not None:
            send(self.process, signal.SIGINT)
            end = time.monotonic() + child_process.GRACE
            while not has_ended(self.process.pid) and time.monotonic() < end:
                time.sleep(0.05)
            send(self.process, signal.SIGKILL)
        return DelayedSubmission(TrainingJob(self.command, self.log, self.processes))


def has_ended(pid: int) -> bool:
    """Tell whether a child process has ended, without taking its exit status.

    Args:
        pid: Number of the process.
    """
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # its status was taken
        return True
