"""Jobs of a cluster: what Slurm is told, what goes on after preemption, and what is refused."""

import os
import re
import signal
import sys
import time
from argparse import Namespace
from pathlib import Path

import pytest

from incseg.cli.cluster_arguments import OPTIONS, cluster_of
from incseg.engine.matrix.cluster import Cluster
from incseg.engine.matrix.training_job import TrainingJob
from incseg.errors import InvalidInputError

submitit = pytest.importorskip('submitit')


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A Slurm that keeps what it is given: ``slurm()`` returns the submitted scripts in order."""
    folder = tmp_path / 'bin'
    folder.mkdir()
    sbatch = f'n=$(ls {tmp_path}/*.sbatch 2>/dev/null | wc -l); cp "$1" {tmp_path}/$n.sbatch; '
    for name, text in (('sbatch', sbatch + 'echo Submitted batch job 7$n'), ('srun', '')):
        (folder / name).write_text(f'#!/bin/sh\n{text}\n')
        (folder / name).chmod(0o755)
    monkeypatch.setenv('PATH', f'{folder}:{os.environ["PATH"]}')
    return lambda: [path.read_text() for path in sorted(tmp_path.glob('*.sbatch'))]


def test_what_slurm_is_told(slurm, tmp_path):
    """If it fails, jobs get other machines than were asked for, or do not come back."""
    cluster = Cluster('slurm', tmp_path / 'jobs', 'gpu', hours=1.5, memory=32, cpus=8, gpus=2)
    [base] = cluster.submit([TrainingJob(['true'], tmp_path / 'a.log')])
    runs = cluster.submit([TrainingJob(['true'], tmp_path / f'{i}.log') for i in (0, 1)], [base])
    assert base.job_id == '70' and [run.job_id for run in runs] == ['71_0', '71_1']
    alone, array = slurm()
    flags = dict(re.findall(r'^#SBATCH --([\w-]+)=?(.*)$', array, re.M))
    told = dict(array='0-1%2', dependency='afterany:70', partition='gpu', time='90', mem='32GB')
    told |= {'cpus-per-task': '8', 'gpus-per-node': '2', 'requeue': ''}
    assert told.items() <= flags.items()
    assert '--array' not in alone and '--dependency' not in alone
    cluster = Cluster('slurm', tmp_path / 'jobs', gpus=0)
    cluster.submit([TrainingJob(['true'], tmp_path / 'a.log')])
    assert not re.search('--(gpus|mem|partition|cpus)', slurm()[-1]), 'the defaults of the cluster'


def test_slurm_refuses(slurm, tmp_path):
    """If it fails, a wrong partition is a traceback."""
    (tmp_path / 'bin/sbatch').write_text('#!/bin/sh\necho sbatch: error: no partition >&2; exit 1')
    with pytest.raises(InvalidInputError, match='^Slurm refuses the job: .*no partition') as error:
        Cluster('slurm', tmp_path / 'jobs').submit([TrainingJob(['true'], tmp_path / 'a.log')])
    assert '\n' not in str(error.value)


def test_not_there(tmp_path, monkeypatch):
    """Without Slurm, and without submitit, one line says what to do."""
    job = TrainingJob(['true'], tmp_path / 'a.log')
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(InvalidInputError, match='finds no srun: start the command on a machine of'):
        Cluster('slurm', tmp_path / 'jobs').submit([job])
    monkeypatch.setitem(sys.modules, 'submitit', None)
    with pytest.raises(
        InvalidInputError, match=r"^--engine local needs submitit, .*incseg\[slurm\]'$"
    ):
        Cluster('local', tmp_path / 'jobs').submit([job])


def test_goes_on_after_preemption(tmp_path):
    """The job is told to end: it stops its training, comes back, and runs the command again."""
    script = (
        "echo $PPID; trap 'echo stopped; exit 0' INT; "
        f'test -f {tmp_path}/once && exit 0; touch {tmp_path}/once; while :; do sleep 0.05; done'
    )
    log, begin = tmp_path / 'train.log', time.monotonic()
    cluster = Cluster('local', tmp_path / 'jobs', gpus=0)
    [job] = cluster.submit([TrainingJob(['bash', '-c', script], log)])
    try:
        while not (tmp_path / 'once').exists():
            assert time.monotonic() - begin < 500 and not job.done()
            time.sleep(0.1)
        first = int(log.read_text())
        os.kill(first, signal.SIGUSR2)  # as Slurm does
        assert job.result() == 0
    finally:
        job.cancel()
    before, said, after = log.read_text().split()
    assert int(before) == first and said == 'stopped' and int(after) != first


def test_status_of_a_training(tmp_path):
    """If it fails, a training that failed passes for one that is done."""
    assert TrainingJob(['sh', '-c', 'echo hello; exit 3'], tmp_path / 'a.log')() == 3
    assert (tmp_path / 'a.log').read_text() == 'hello\n'


def given(**options):
    absent = dict.fromkeys((*OPTIONS, 'engine', 'devices', 'nproc'))
    return Namespace(**{**absent, 'work_dir': 'work_dirs/matrix', **options})


def test_options():
    """The options reach the jobs; logs lie in the work dir, and a process has a GPU."""
    assert cluster_of(given(devices='cpu')) is None
    cluster = cluster_of(given(engine='slurm', nproc=4, hours=2.0, partition='gpu'))
    folder = Path('work_dirs/matrix/jobs').absolute()
    assert cluster == Cluster('slurm', folder, 'gpu', hours=2.0, gpus=4)
    assert cluster_of(given(engine='local', gpus=0, logs='/l')) == Cluster(
        'local', Path('/l'), gpus=0
    )


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(partition='gpu'), '--partition is an option of a cluster: add --engine slurm'),
        (dict(engine='slurm', hours=0.0), '--hours is 0.0, expected above 0'),
        (dict(engine='slurm', memory=float('nan')), '--memory is nan, expected above 0, finite'),
        (dict(engine='slurm', gpus=-1), '--gpus is -1, expected 0 or more'),
        (dict(engine='slurm', cpus=0), '--cpus is 0, expected above 0'),
        (
            dict(engine='slurm', devices='0'),
            "--devices is '0' and --engine is 'slurm', expected one of them: a cluster chooses "
            'the devices',
        ),
    ],
)
def test_refused(options, message):
    """If it fails, an option does nothing, or the cluster's own message comes later."""
    with pytest.raises(InvalidInputError) as refused:
        cluster_of(given(**options))
    assert str(refused.value) == message
