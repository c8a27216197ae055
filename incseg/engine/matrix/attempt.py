"""One attempt to finish a run of a matrix, reported line by line."""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from incseg.engine.matrix.child_process import environment, start_logged
from incseg.engine.matrix.devices import Device
from incseg.engine.matrix.plan import MatrixRun
from incseg.errors import UserError

Say = Callable[[str], None]


class Attempt:
    """One attempt to finish a run, reported line by line.

    Args:
        run: The run.
        place: Its place in the matrix, ``'[1/4]'``, with which each line starts.
        say: Called with each line.
        convention: Which IoUs the printed numbers average: ``'mib'``, ``'plop'`` or ``'wilson'``.

    Attributes:
        refused: Whether its work dir holds the results of something else.
        failure: Why it failed; None if it did not.
        process: The training; None before and after it.
    """

    def __init__(self, run: MatrixRun, place: str, say: Say, convention: str):
        self.run, self.place, self.say, self.convention = run, place, say, convention
        self.refused = False
        self.failure: str | None = None
        self.process: subprocess.Popen | None = None
        self.where = ''
        self.begin, self.log_size = time.monotonic(), 0

    def tell(self, verb: str, text: object) -> None:
        """Report an event of the run, as ``<place> <verb> <title>[ on <device>]: <text>``."""
        where = f' on {self.where}' if self.where else ''
        self.say(f'{self.place} {verb} {self.run.title}{where}: {text}')

    def settled(self) -> bool:
        """Tell whether the run needs no training: it is finished, or cannot be begun."""
        try:
            self.refused = True
            self.run.check()
            self.refused = False
            if not self.run.finished():
                return False
            self.tell('skipped', f'done before, {self.run.result(self.convention)}')
        except (UserError, OSError) as error:
            self.fail(error)
        return True

    def announce(self, where: str = '') -> None:
        """Report that the run starts, or goes on.

        Args:
            where: What trains it, for the lines of the run.
        """
        self.where = where
        run = self.run
        self.begin = time.monotonic()
        self.log_size = run.log.stat().st_size if run.log.is_file() else 0
        self.tell('resumed' if run.started() else 'started', f'see {run.log}')

    def start(self, device: Device, processes: int, reuse: bool, lock: int) -> bool:
        """Start the training as a process; return whether it runs.

        Args:
            device: The device that trains it.
            processes: Processes of the run under torchrun; 0 starts no torchrun.
            reuse: Whether base steps may be shared.
            lock: File descriptor of the matrix's lock, which the training inherits.
        """
        run, variables = self.run, environment(processes)
        try:
            self.announce(device.name)
            variables.update(device.variables(variables))
            self.process = start_logged(run.command(processes, reuse), run.log, variables, [lock])
        except (UserError, OSError) as error:
            self.fail(error)
        return self.process is not None

    def ended(self) -> bool:
        """Tell whether the training has ended, and report how."""
        assert self.process is not None
        status = self.process.poll()
        if status is None:
            return False
        self.process = None
        self.end(status)
        return True

    def end(self, status: int) -> None:
        """Report how the training has ended.

        Args:
            status: Its exit status; negative for the signal that killed it.
        """
        try:
            if status == 0 and self.run.finished():
                took = duration(time.monotonic() - self.begin)
                self.tell('done', f'{self.run.result(self.convention)} ({took})')
            else:
                self.fail(reason(self.run.log, self.log_size, status))
        except (UserError, OSError) as error:
            self.fail(error)

    def fail(self, why: object) -> None:
        """Report that the run failed, and keep the reason."""
        self.failure = str(why)
        self.tell('failed', why)


def reason(log: Path, start: int, status: int) -> str:
    """Return the cause of a failed run: the last error in its log, or else the last line.

    Args:
        log: The log of all attempts.
        start: Its size in bytes before this attempt.
        status: Exit status; negative for the signal that killed the run.
    """
    with log.open('rb') as file:
        file.seek(start)
        lines = [line.strip() for line in file.read().decode(errors='replace').splitlines()]
    lines = [line for line in lines if line]
    errors = [line.removeprefix('error: ') for line in lines if line.startswith('error: ')]
    last = (errors or lines or ['it printed nothing'])[-1]
    return f'killed by {signal.Signals(-status).name}: {last}' if status < 0 else last


def duration(seconds: float) -> str:
    """Format a duration: ``'2 h 5 min'`` or ``'3 min 12 s'``."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours} h {minutes} min' if hours else f'{minutes} min {seconds} s'
