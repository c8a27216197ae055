"""A matrix on a cluster: which jobs wait for which, what comes back, and what is told."""

import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from incseg.engine.matrix import job_queue
from incseg.engine.matrix.cluster import Cluster
from incseg.engine.matrix.run_matrix import run_matrix
from incseg.evaluation import Ledger
from tests.conftest import TINY

ROOT = Path(__file__).parents[3]


class FakeJob:
    """A job that ends when a test says so."""

    def __init__(self, job_id, training):
        self.job_id, self.training, self.ended, self.state = job_id, training, False, 'TIMEOUT'
        self.paths = SimpleNamespace(stdout=f'{job_id}.out')

    def done(self):
        return self.ended

    def result(self):
        raise RuntimeError('no result')


@pytest.fixture
def arrays(monkeypatch):
    """The arrays that are submitted, as (jobs, those that they wait for)."""
    submitted = []

    def submit(cluster, jobs, after=()):
        made = [FakeJob(f'{len(submitted)}_{i}', job) for i, job in enumerate(jobs)]
        if made:
            submitted.append((made, [job.job_id for job in after]))
        return made

    monkeypatch.setattr(Cluster, 'submit', submit)
    return submitted


def ends_all(monkeypatch, arrays):
    def end(_):
        for jobs, _after in arrays:
            for job in jobs:
                job.ended = True

    clock = SimpleNamespace(sleep=end, monotonic=lambda: 0.0)
    monkeypatch.setattr(job_queue, 'time', clock)


def test_a_base_step_is_a_job_of_its_own(make, arrays, monkeypatch, tmp_path):
    """If it fails, an array trains one base step several times, or all wait for nothing."""
    runs = [make('ft', seed=0), make('joint', seed=0), make('mib', seed=0), make('mib', seed=1)]
    ends_all(monkeypatch, arrays)
    lines = []
    cluster = Cluster('slurm', tmp_path / 'jobs')
    failed = run_matrix(runs, tmp_path / 'matrix', cluster=cluster, say=lines.append)
    (bases, none), (alone, nothing), (sharing, before) = arrays

    def trained(jobs):
        commands = [job.training.command for job in jobs]
        return [command[command.index('--work-dir') + 1] for command in commands]

    dirs = [str(run.work_dir) for run in runs]
    assert trained(bases) == [dirs[0]] and none == []
    assert bases[0].training.command[-2:] == ['--steps', '0']
    assert trained(alone) == [dirs[1], dirs[3]] and nothing == [], 'they begin at once'
    assert trained(sharing) == [dirs[0], dirs[2]] and before == ['0_0']
    assert not any('--steps' in job.training.command for job in (*alone, *sharing))
    assert lines[0] == f'[1/4] base step of {runs[0].title}: job 0_0, see {runs[0].log}'
    assert f'[2/4] started {runs[1].title} on job 1_0: see {runs[1].log}' in lines
    assert failed == 4 and any(
        line.startswith(f'[1/4] failed {runs[0].title} on job 2_0: its job ended early (TIMEOUT)')
        for line in lines
    )


def test_the_same_command_watches_its_jobs(make, arrays, monkeypatch, tmp_path):
    """After Ctrl-C the jobs of Slurm go on: the same command submits no second one."""
    runs, lines, cluster = [make('ft')], [], Cluster('slurm', tmp_path / 'jobs')
    clock = SimpleNamespace(sleep=lambda _: os.kill(os.getpid(), signal.SIGINT))
    monkeypatch.setattr(job_queue, 'time', clock)
    with pytest.raises(KeyboardInterrupt):
        run_matrix(runs, tmp_path / 'matrix', cluster=cluster, say=lines.append)
    assert lines[-1] == 'the jobs go on; scancel 0 ends them'
    [([job], _)] = arrays
    monkeypatch.setattr(Cluster, 'known', lambda _, number: {job.job_id: job}[number])
    ends_all(monkeypatch, arrays)
    assert run_matrix(runs, tmp_path / 'matrix', cluster=cluster, say=lines.append) == 1
    assert len(arrays) == 1
    monkeypatch.setattr(Cluster, 'known', lambda _, number: None)
    run_matrix(runs, tmp_path / 'matrix', cluster=cluster, say=lines.append)
    assert len(arrays) == 2, 'one that has ended is submitted anew'


def test_as_jobs_of_this_machine(toy_leaf, tool_environment, monkeypatch, tmp_path):
    """submitit's local executor trains two methods on one base step, and ends in the table."""
    pytest.importorskip('submitit')
    from incseg.apis.run_list import plan_runs

    monkeypatch.chdir(ROOT)
    monkeypatch.setenv('PYTHONPATH', tool_environment['PYTHONPATH'])
    leaves = [toy_leaf(f'{method}/bisenet_r18_shapes_4-1') for method in ('ft', 'mib')]
    options = {**TINY, 'base_steps_dir': str(tmp_path / 'base'), 'protocol.name': '5-1'}
    runs, lines = plan_runs(leaves, tmp_path / 'matrix', None, options), []
    cluster = Cluster('local', tmp_path / 'matrix/jobs', gpus=0)
    failed = run_matrix(runs, tmp_path / 'matrix', cluster=cluster, say=lines.append)
    assert failed == 0, lines
    reused = [
        'reused_from' in Ledger.read_file(run.work_dir / Ledger.FILE)['steps'][0] for run in runs
    ]
    assert reused == [False, True]
    assert sum('] done ' in line for line in lines) == 2 and '\n| mib ' in lines[-1]
