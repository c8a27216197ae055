"""Configs by seeds, one run after another, going on where an earlier attempt stopped."""

import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path

from incseg.engine.matrix.child_process import run_logged
from incseg.engine.matrix.plan import MatrixRun, environment
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

    A line on the terminal for every run; a failed one does not stop the
    others.  The runs' own output is in their work dirs' ``train.log``.

    Args:
        runs: The runs, in order.
        folder: The matrix's folder: a work dir for each, and ``comparison/``.
        convention: Of the numbers shown.
        processes: How many processes torchrun starts for each; 0: no torchrun.
        reuse: Whether base steps may be shared.
        dry_run: Only say what would be done.
        say: Takes the lines.

    Returns:
        How many runs failed.

    Raises:
        InvalidInputError: If two runs would share a work dir, or a row
            without being seeds of one thing, or another process works in
            the folder.
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
    """Refuse two runs in one work dir, and one row for what are not seeds of one thing.

    A name may be given on several protocols, but to one method, and on one
    protocol to one config with its options.
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
    """The setting that keeps two runs out of one row, if there is one."""
    if first.experiment.method != second.experiment.method:
        return 'method'
    if first.experiment.describe_protocol() != second.experiment.describe_protocol():
        return None
    return min(differing([first.settings, second.settings]), default=None)


def plan(run: MatrixRun, convention: str, processes: int, reuse: bool) -> str:
    """What would be done with a run."""
    try:
        run.check()
    except UserError as error:
        return f'refused {run.title}: {error}'
    if run.finished():
        return f'done {run.title}: {run.result(convention)}'
    verb = 'resume' if run.started() else 'start'
    return f'{verb} {run.title}: {run.shown_command(processes, reuse)}'


class Attempt:
    """One run's turn, and what the terminal is told of it."""

    def __init__(self, run: MatrixRun, place: str, say: Say, convention: str):
        self.run, self.place, self.say, self.convention = run, place, say, convention
        self.refused = True

    def tell(self, verb: str, text: object) -> None:
        self.say(f'{self.place} {verb} {self.run.title}: {text}')

    def run_to_end(self, processes: int, reuse: bool, lock: int) -> bool:
        """Returns whether the run is finished."""
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
    """Why a run failed: the log's last error, or last line, since it started."""
    with log.open('rb') as file:
        file.seek(start)
        lines = [line.strip() for line in file.read().decode(errors='replace').splitlines()]
    lines = [line for line in lines if line]
    errors = [line.removeprefix('error: ') for line in lines if line.startswith('error: ')]
    last = (errors or lines or ['it printed nothing'])[-1]
    return f'killed by {signal.Signals(-status).name}: {last}' if status < 0 else last


def duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours} h {minutes} min' if hours else f'{minutes} min {seconds} s'


def table(runs: Sequence[MatrixRun], refused: int, folder: Path, convention: str) -> str:
    """The comparison of all that has begun, written into the folder.

    Args:
        runs: The runs that may be compared.
        refused: How many others there were, whose work dirs hold something else.
        folder: The matrix's folder.
        convention: Of the numbers shown.
    """
    begun = [run.argument for run in runs if (run.work_dir / CONFIG_FILE).is_file()]
    note = ''
    if refused:
        note = f'{refused} of {len(runs) + refused} work dirs were refused for what they hold'
    if not begun:
        return f'no table: {note or "no run has begun"}'
    try:
        shown = compare(begun, folder / 'comparison', convention)
    except UserError as error:
        shown = f'no table: {error}'
    return f'{shown}\nnot in the table: {note}' if note else shown


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM stops as cleanly as Ctrl-C."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
