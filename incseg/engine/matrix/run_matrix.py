"""Train configs by seeds, one run after another, and continue interrupted matrices."""

import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path

from incseg.engine.matrix.child_process import environment, run_logged
from incseg.engine.matrix.plan import MatrixRun
from incseg.errors import InvalidInputError, UserError
from incseg.evaluation.comparison.compare import compare
from incseg.evaluation.comparison.rows import differing
from incseg.evaluation.run_settings import CONFIG_FILE
from incseg.utils.locks import DirLock

Say = Callable[[str], None]


def run_matrix(
    runs: Sequence[MatrixRun],
    folder: Path,
    *,
    convention: str = 'mib',
    processes: int = 0,
    reuse: bool = True,
    dry_run: bool = False,
    say: Say = lambda line: print(line, flush=True),
) -> int:
    """Train every run that is not finished, then compare all of them.

    The terminal shows a line per event of a run; a failed run does not stop the
    others.  The output of a run is in ``train.log`` of its work dir.

    Args:
        runs: The runs, in order.
        folder: The folder of the matrix, with all work dirs and ``comparison/``.
        convention: Which IoUs the printed numbers average: ``'mib'``, ``'plop'`` or
            ``'wilson'``.
        processes: Processes of each run under torchrun; 0 starts no torchrun.
        reuse: Whether base steps may be shared.
        dry_run: Only print the plan.
        say: Called with each line.

    Returns:
        The number of runs that failed.

    Raises:
        InvalidInputError: Two runs would share a work dir; runs of one row
            cannot be averaged; or another process works in the folder.
    """
    check_distinct(runs)
    if dry_run:
        for i, run in enumerate(runs):
            say(f'[{i + 1}/{len(runs)}] {plan(run, convention, processes, reuse)}')
        return 0
    with DirLock(folder) as lock, terminable():
        failed, refused = 0, []
        for i, run in enumerate(runs):
            attempt = Attempt(run, f'[{i + 1}/{len(runs)}]', say, convention)
            failed += not attempt.run_to_end(processes, reuse, lock.fd)
            if attempt.refused:  # its work dir holds the numbers of something else
                refused.append(run)
        say(table([run for run in runs if run not in refused], len(refused), folder, convention))
    if failed:
        say(f'{failed} of {len(runs)} runs failed')
    return failed


def check_distinct(runs: Sequence[MatrixRun]) -> None:
    """Refuse runs that share a work dir, and rows that cannot be averaged.

    A name may be used on several protocols, but only for one method; on one
    protocol it stands for one config with its options.

    Raises:
        InvalidInputError: Naming two such runs.
    """
    seen: dict[Path, MatrixRun] = {}
    for run in runs:
        if (before := seen.get(run.work_dir)) is not None:
            raise InvalidInputError(
                f'{before.config_path} and {run.config_path} would both run in {run.work_dir}: '
                'leave one out, or give each a "name" in a file of runs'
            )
        seen[run.work_dir] = run
    rows = defaultdict(list)
    for run in runs:
        rows[run.name or run.experiment.method].append(run)
    for row, members in rows.items():
        for first, second in combinations(members, 2):
            if (first.name or second.name) and (key := row_conflict(first, second)):
                raise InvalidInputError(
                    f'{first.config_path} and {second.config_path} would both be the row {row!r}, '
                    f'but differ in {key}: give each a "name" of its own in the file of runs'
                )


def row_conflict(first: MatrixRun, second: MatrixRun) -> str | None:
    """Return the key of the first setting that keeps two runs out of one row; None if none does.

    Runs of different protocols conflict only if their methods differ.
    """
    if first.experiment.method != second.experiment.method:
        return 'method'
    if first.experiment.describe_protocol() != second.experiment.describe_protocol():
        return None
    return min(differing([first.settings, second.settings]), default=None)


def plan(run: MatrixRun, convention: str, processes: int, reuse: bool) -> str:
    """Return a line that says what a matrix would do with a run.

    Args:
        run: The run.
        convention, processes, reuse: As for :func:`run_matrix`.
    """
    try:
        run.check()
    except UserError as error:
        return f'refused {run.title}: {error}'
    if run.finished():
        return f'done {run.title}: {run.result(convention)}'
    verb = 'resume' if run.started() else 'start'
    return f'{verb} {run.title}: {run.printed_command(processes, reuse)}'


class Attempt:
    """One attempt to finish a run, reported line by line.

    Args:
        run: The run.
        place: Its place in the matrix, ``'[1/4]'``, with which each line starts.
        say: Called with each line.
        convention: As for :func:`run_matrix`.

    Attributes:
        refused: Whether its work dir holds the results of something else.
    """

    def __init__(self, run: MatrixRun, place: str, say: Say, convention: str):
        self.run, self.place, self.say, self.convention = run, place, say, convention
        self.refused = True

    def tell(self, verb: str, text: object) -> None:
        """Report an event of the run, as ``<place> <verb> <title>: <text>``."""
        self.say(f'{self.place} {verb} {self.run.title}: {text}')

    def run_to_end(self, processes: int, reuse: bool, lock: int) -> bool:
        """Train the run unless it is finished; return whether it is finished now.

        Args:
            processes, reuse: As for :func:`run_matrix`.
            lock: File descriptor of the matrix's lock, which the training inherits.
        """
        try:
            return self._skip() or self._train(processes, reuse, lock)
        except (UserError, OSError) as error:
            self.tell('failed', error)
            return False
        except KeyboardInterrupt:
            self.tell('interrupted', f'see {self.run.log}')
            raise

    def _skip(self) -> bool:
        self.run.check()
        self.refused = False
        if not self.run.finished():
            return False
        self.tell('skipped', f'done before, {self.run.result(self.convention)}')
        return True

    def _train(self, processes: int, reuse: bool, lock: int) -> bool:
        run = self.run
        self.tell('resumed' if run.started() else 'started', f'see {run.log}')
        begin, before = time.monotonic(), run.log.stat().st_size if run.log.is_file() else 0
        status = run_logged(run.command(processes, reuse), run.log, environment(processes), [lock])
        if status == 0 and run.finished():
            took = duration(time.monotonic() - begin)
            self.tell('done', f'{run.result(self.convention)} ({took})')
            return True
        self.tell('failed', reason(run.log, before, status))
        return False


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


def table(runs: Sequence[MatrixRun], refused: int, folder: Path, convention: str) -> str:
    """Write the comparison of all runs that have begun, and return it as text.

    Args:
        runs: The runs to compare.
        refused: The number of runs whose work dirs were refused.
        folder: The folder of the matrix; the files go to ``comparison/`` in it.
        convention: As for :func:`run_matrix`.

    Returns:
        The table, or one line that says why there is none.
    """
    begun = [run.argument for run in runs if (run.work_dir / CONFIG_FILE).is_file()]
    note = ''
    if refused:
        note = f'{refused} of {len(runs) + refused} work dirs were refused: they hold other runs'
    if not begun:
        return f'no table: {note or "no run has begun"}'
    try:
        text = compare(begun, folder / 'comparison', convention)
    except UserError as error:
        text = f'no table: {error}'
    return f'{text}\nnot in the table: {note}' if note else text


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM stop the matrix as cleanly as Ctrl-C does, inside the context."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
