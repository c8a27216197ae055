"""The jobs of a matrix on a cluster, by submitit."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from incseg.engine.matrix.training_job import TrainingJob
from incseg.errors import InvalidInputError

ENGINES = ('slurm', 'local')
#: how often a job whose time is over may go on in a new one
TIMES_OVER = 50


@dataclass(frozen=True)
class Cluster:
    """What runs the jobs of a matrix, and what a job may use.

    Args:
        engine: ``'slurm'``; or ``'local'`` for the same jobs as processes of this machine, all at
            once, to try a command out.
        folder: The folder of the jobs' files and logs, which every machine of the cluster sees.
        partition: The partition of Slurm; None for its default.
        hours: The time limit of a job; a training that needs longer goes on in a new job.
        memory: Memory of a job in GB; None for the cluster's default.
        cpus: CPU cores of a job; None for the cluster's default.
        gpus: GPUs of a job.
    """

    engine: str
    folder: Path
    partition: str | None = None
    hours: float = 24.0
    memory: float | None = None
    cpus: int | None = None
    gpus: int = 1

    def submit(self, jobs: Sequence[TrainingJob], after: Sequence[Any] = ()) -> list[Any]:
        """Submit trainings as one array, and return submitit's jobs in their order.

        Args:
            jobs: The trainings.
            after: Jobs that have to end before, well or not; Slurm alone waits for them.

        Raises:
            InvalidInputError: submitit or Slurm is not there, or Slurm refuses the job.
        """
        if not jobs:
            return []
        errors = load_submitit(self.engine).core.utils
        executor = self._executor(after)
        try:
            with executor.batch():
                submitted = [executor.submit(job) for job in jobs]
        except (errors.FailedSubmissionError, errors.UncompletedJobError, OSError) as error:
            said = [line.strip() for line in str(error).splitlines() if line.strip()]
            raise InvalidInputError(f'Slurm refuses the job: {said[-1]}') from error
        return submitted

    def known(self, number: str) -> Any | None:
        """Return a job that was submitted before; None if it has ended or nobody knows it.

        Args:
            number: The number of the job.
        """
        if self.engine != 'slurm':
            return None
        submitit = load_submitit(self.engine)
        job = submitit.SlurmJob(self.folder, number)
        state = job.get_info(mode='force').get('State', 'UNKNOWN')
        waits = ('PENDING', 'RUNNING', 'REQUEUED', 'COMPLETING', 'PREEMPTED', 'SUSPENDED')
        return job if state.startswith(waits) else None

    def _executor(self, after: Sequence[Any]) -> Any:
        submitit = load_submitit(self.engine)
        try:
            executor = submitit.AutoExecutor(
                self.folder,
                cluster=self.engine,
                **{f'{self.engine}_max_num_timeout': TIMES_OVER},
            )
        except RuntimeError as error:  # there is no srun
            raise InvalidInputError(
                '--engine slurm finds no srun: start the command on a machine of the cluster, or '
                'try it with --engine local'
            ) from error
        numbers = ':'.join(job.job_id for job in after)
        executor.update_parameters(
            name='incseg',
            timeout_min=math.ceil(60 * self.hours),
            mem_gb=self.memory,
            cpus_per_task=self.cpus,
            gpus_per_node=self.gpus or None,
            stderr_to_stdout=True,
            slurm_partition=self.partition,
            slurm_dependency=f'afterany:{numbers}' if numbers else None,
            slurm_additional_parameters={'requeue': True},
        )
        return executor


def load_submitit(engine: str) -> ModuleType:
    """Import submitit.

    Args:
        engine: What it is needed for, for the message.

    Raises:
        InvalidInputError: It is not installed.
    """
    try:
        import submitit
    except ImportError as error:
        raise InvalidInputError(
            f"--engine {engine} needs submitit, which is not installed: pip install 'incseg[slurm]'"
        ) from error
    return submitit
