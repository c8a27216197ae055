"""Train configs by seeds on one or more devices, and continue interrupted matrices."""

import signal
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path

from incseg.engine.matrix.attempt import Attempt, Say
from incseg.engine.matrix.cluster import Cluster
from incseg.engine.matrix.device_queue import DeviceQueue
from incseg.engine.matrix.devices import Device
from incseg.engine.matrix.job_queue import JobQueue
from incseg.engine.matrix.plan import MatrixRun
from incseg.errors import InvalidInputError, UserError
from incseg.evaluation.comparison.compare import compare
from incseg.evaluation.comparison.rows import differing
from incseg.evaluation.run_settings import CONFIG_FILE
from incseg.utils.locks import DirLock

Ended = Callable[[MatrixRun, str | None], None]


def run_matrix(
    runs: Sequence[MatrixRun],
    folder: Path,
    *,
    convention: str = 'mib',
    processes: int = 0,
    devices: Sequence[Device] = (Device(),),
    cluster: Cluster | None = None,
    reuse: bool = True,
    dry_run: bool = False,
    on_end: Ended = lambda run, failure: None,
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
        devices: Each trains one run at a time; by default the runs are trained one by one.
        cluster: Trains each run as a job, in the place of the devices; None for no cluster.
        reuse: Whether base steps may be shared.
        dry_run: Only print the plan.
        on_end: Called when a run has ended, with the run and why it failed, None if it is done.
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
    attempts = [
        Attempt(run, f'[{i + 1}/{len(runs)}]', say, convention) for i, run in enumerate(runs)
    ]

    def tell_end(attempt: Attempt) -> None:
        on_end(attempt.run, attempt.failure)

    with DirLock(folder) as lock, terminable():
        if cluster is None:
            DeviceQueue(attempts, devices, processes, reuse, lock.fd, tell_end).run()
        else:
            JobQueue(attempts, cluster, folder, processes, reuse, tell_end).run()
        say(table(attempts, folder, convention))
    failed = sum(attempt.failure is not None for attempt in attempts)
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


def table(attempts: Sequence[Attempt], folder: Path, convention: str) -> str:
    """Write the comparison of all runs that have begun, and return it as text.

    Notes below the table name the runs that failed.  Work dirs that were refused are left out:
    they hold the numbers of something else.

    Args:
        attempts: The runs after their training.
        folder: The folder of the matrix; the files go to ``comparison/`` in it.
        convention: As for :func:`run_matrix`.

    Returns:
        The table, or one line that says why there is none.
    """
    runs = [attempt.run for attempt in attempts if not attempt.refused]
    begun = [run.argument for run in runs if (run.work_dir / CONFIG_FILE).is_file()]
    failed = [
        f'Failed: {attempt.run.title}: {attempt.failure}'
        for attempt in attempts
        if attempt.failure is not None and not attempt.refused
    ]
    note, refused = '', len(attempts) - len(runs)
    if refused:
        note = f'{refused} of {len(attempts)} work dirs were refused: they hold other runs'
    if not begun:
        return f'no table: {note or "no run has begun"}'
    try:
        text = compare(begun, folder / 'comparison', convention, failed)
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
