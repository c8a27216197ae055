"""The runs of a matrix as jobs of a cluster: submit them, and watch them to their ends."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from incseg.engine.matrix.attempt import Attempt, reason
from incseg.engine.matrix.cluster import Cluster
from incseg.engine.matrix.plan import base_key
from incseg.engine.matrix.training_job import TrainingJob
from incseg.errors import UserError
from incseg.utils.files import read_json, write_json

#: seconds between two looks at the jobs
INTERVAL = 1.0
#: seconds after which a machine sees what another has written
LAG = 30.0


class JobQueue:
    """The runs of a matrix as jobs of a cluster.

    A base step that several runs need is a job of its own, ``--steps 0`` of the first of them.
    These runs are an array that begins when the jobs of the base steps have ended; all other runs
    are an array that begins at once.  A file in the folder names the job of each run: the same
    command watches jobs that still wait or work, and submits no second one.

    Args:
        attempts: The runs in order.
        cluster: What runs the jobs.
        folder: The folder of the matrix.
        processes: Processes of each run under torchrun; 0 starts no torchrun.
        reuse: Whether base steps may be shared.
        on_end: Called with each run that has ended.
    """

    FILE = 'jobs.json'

    def __init__(
        self,
        attempts: Sequence[Attempt],
        cluster: Cluster,
        folder: Path,
        processes: int,
        reuse: bool,
        on_end: Callable[[Attempt], None],
    ):
        self.attempts, self.cluster, self.path = attempts, cluster, folder / self.FILE
        self.processes, self.reuse, self.on_end = processes, reuse, on_end
        self.jobs: dict[Attempt, Any] = {}

    def run(self) -> None:
        """Submit the runs that are not finished, and wait until all jobs have ended."""
        bases: list[Any] = []
        try:
            left = []
            for attempt in self.attempts:
                if attempt.settled():
                    self.on_end(attempt)
                else:
                    left.append(attempt)
            left = [attempt for attempt in left if not self._take_up(attempt)]
            first, later = self._split(left)
            leaders = [attempts[0] for attempts in later]
            bases = self.cluster.submit([self._job(each, [0]) for each in leaders])
            for attempt, job in zip(leaders, bases):
                attempt.tell('base step of', f'job {job.job_id}, see {attempt.run.log}')
            self._submit(first)
            if self.cluster.engine == 'local':
                self._wait(bases)
            self._submit([each for each in left if each not in first], bases)
            self._watch()
        except KeyboardInterrupt:
            self._leave(bases)
            raise

    def _take_up(self, attempt: Attempt) -> bool:
        """Watch the job of an earlier command, if it still waits or works."""
        try:
            number = read_json(self.path).get(attempt.run.title) if self.path.is_file() else None
        except UserError:  # damaged: the lock of a work dir keeps a second training out
            return False
        job = None if number is None else self.cluster.known(number)
        if job is None:
            return False
        attempt.announce(f'job {job.job_id}')
        self.jobs[attempt] = job
        return True

    def _split(self, attempts: Sequence[Attempt]) -> tuple[list[Attempt], list[list[Attempt]]]:
        """Return the runs that need no other's base step, and those that share one, by it."""
        groups = defaultdict(list)
        for attempt in attempts:
            shares = self.reuse and not attempt.run.has_base()
            groups[base_key(attempt.run) if shares else None].append(attempt)
        alone = groups.pop(None, [])
        alone += [group[0] for group in groups.values() if len(group) == 1]
        return alone, [group for group in groups.values() if len(group) > 1]

    def _job(self, attempt: Attempt, steps: Sequence[int] = ()) -> TrainingJob:
        run = attempt.run
        return TrainingJob(
            run.command(self.processes, self.reuse, steps), run.log.absolute(), self.processes
        )

    def _submit(self, attempts: Sequence[Attempt], after: Sequence[Any] = ()) -> None:
        jobs = self.cluster.submit([self._job(attempt) for attempt in attempts], after)
        for attempt, job in zip(attempts, jobs):
            self.jobs[attempt] = job
            attempt.announce(f'job {job.job_id}')
        numbers = {attempt.run.title: job.job_id for attempt, job in self.jobs.items()}
        write_json(self.path, numbers)

    def _wait(self, jobs: Sequence[Any]) -> None:
        while not all(job.done() for job in jobs):
            time.sleep(INTERVAL)

    def _watch(self) -> None:
        """Report every job that ends, until none is left."""
        while self.jobs:
            ended = [attempt for attempt, job in self.jobs.items() if job.done()]
            for attempt in ended:
                self._end(attempt, self.jobs.pop(attempt))
                self.on_end(attempt)
            if not ended:
                time.sleep(INTERVAL)

    def _end(self, attempt: Attempt, job: Any) -> None:
        try:
            status = int(job.result())
            end = time.monotonic() + (LAG if status == 0 else 0)
            while not attempt.run.finished() and time.monotonic() < end:
                time.sleep(INTERVAL)
        except Exception:  # of submitit: the job was killed, or its time was over too often
            log = attempt.run.log
            last = reason(log, attempt.log_size, 1) if log.is_file() else 'it printed nothing'
            attempt.fail(f'its job ended early ({job.state}), see {job.paths.stdout}: {last}')
        else:
            attempt.end(status)

    def _leave(self, bases: Sequence[Any]) -> None:
        """Leave the jobs of Slurm in its queue, and end those of this machine."""
        jobs = [job for job in (*bases, *self.jobs.values()) if not job.done()]
        if self.cluster.engine == 'local':
            for job in jobs:
                job.cancel()
            for attempt in self.jobs:
                attempt.tell('interrupted', f'see {attempt.run.log}')
        elif jobs:
            numbers = ' '.join(dict.fromkeys(job.job_id.partition('_')[0] for job in jobs))
            self.attempts[0].say(f'the jobs go on; scancel {numbers} ends them')
