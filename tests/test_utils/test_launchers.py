"""Processes join a group by the variables of torchrun, mpirun or srun, and wait for each other."""

import socket
import subprocess
import sys
from datetime import timedelta

import pytest
import torch

from incseg.errors import InvalidInputError
from incseg.utils import distributed
from incseg.utils.distributed import TIMEOUT, init_launcher, mpi_environment, share_out

OPEN_MPI = dict(
    OMPI_COMM_WORLD_RANK='3',
    OMPI_COMM_WORLD_SIZE='4',
    OMPI_COMM_WORLD_LOCAL_RANK='1',
    OMPI_COMM_WORLD_LOCAL_SIZE='4',
)
TORCHRUN = dict(
    RANK='1', WORLD_SIZE='2', LOCAL_RANK='1', MASTER_ADDR='127.0.0.1', MASTER_PORT='29500'
)
INTEL = dict(PMI_RANK='3', PMI_SIZE='4', MPI_LOCALRANKID='1', MPI_LOCALNRANKS='4')


@pytest.mark.parametrize('variables', [OPEN_MPI, INTEL])
def test_variables_of_mpi(variables):
    """If it fails, `--launcher mpi` ends in a KeyError of a variable that only torchrun sets."""
    found = mpi_environment(variables)
    assert found == dict(
        RANK='3',
        WORLD_SIZE='4',
        LOCAL_RANK='1',
        LOCAL_WORLD_SIZE='4',
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT='29500',
    )
    named = mpi_environment({**variables, 'MASTER_ADDR': 'a', 'MASTER_PORT': '7'})
    assert (named['MASTER_ADDR'], named['MASTER_PORT']) == ('a', '7')


def test_several_machines_need_an_address():
    """If it fails, every machine waits for a group of its own."""
    with pytest.raises(InvalidInputError, match='^MASTER_ADDR is not set, .*several machines'):
        mpi_environment({**OPEN_MPI, 'OMPI_COMM_WORLD_LOCAL_SIZE': '2'})


@pytest.mark.parametrize(
    'launcher, said', [('mpi', 'OMPI_COMM_WORLD_RANK.*mpirun -np N'), ('slurm', 'srun')]
)
def test_a_launcher_that_did_not_start_it(launcher, said, monkeypatch):
    """If it fails, the user sees a KeyError and does not learn how to start."""
    for name in (*OPEN_MPI, *INTEL, 'SLURM_PROCID'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(distributed, 'end_with_parent', lambda: None)
    with pytest.raises(InvalidInputError, match=f"launcher '{launcher}' needs .*{said}"):
        init_launcher(launcher)


@pytest.mark.parametrize('missing', TORCHRUN)
@pytest.mark.parametrize('gpus', [0, 2])
def test_a_variable_is_missing(missing, gpus, on_gpus, monkeypatch):
    """If it fails, the user sees torch's or mmengine's traceback."""
    called = on_gpus(gpus)
    monkeypatch.delenv(missing)
    said = 'environment of torchrun' if missing == 'RANK' else f'^{missing} not set, but .*torchrun'
    with pytest.raises(InvalidInputError, match=said):
        init_launcher('pytorch')
    assert not called


@pytest.mark.parametrize('name', ['RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_PORT'])
@pytest.mark.parametrize('value', ['two', '-1', '1.5'])
def test_a_variable_is_no_number(name, value, on_gpus):
    """If it fails, the user sees "invalid literal for int()"."""
    called = on_gpus(2, **{name: value})
    with pytest.raises(InvalidInputError, match=f'^{name} is {value!r}, expected a whole number'):
        init_launcher('pytorch')
    assert not called


def test_a_part_of_the_variables_of_mpi():
    """If it fails, somebody who did start with MPICH's mpirun is told to start with mpirun."""
    part = dict(PMI_RANK='0', PMI_SIZE='2')
    with pytest.raises(InvalidInputError, match='^MPI_LOCALRANKID, MPI_LOCALNRANKS not set'):
        mpi_environment(part)
    with pytest.raises(InvalidInputError, match="^PMI_RANK is 'x', expected a whole number"):
        mpi_environment({**INTEL, 'PMI_RANK': 'x'})


def test_slurm_sets_all_of_its_variables(on_gpus):
    """If it fails, mmengine ends in a KeyError."""
    on_gpus(1, SLURM_PROCID='0')
    with pytest.raises(InvalidInputError, match='^SLURM_NTASKS, SLURM_NODELIST not set'):
        init_launcher('slurm')


@pytest.mark.parametrize('address', ['127.0.0.1', 'no-such-host.invalid'])
def test_where_they_do_not_meet(address, on_gpus, monkeypatch):
    """If it fails, a second job on the machine, at the same port, ends in torch's traceback."""
    with socket.socket() as other:
        other.bind(('127.0.0.1', 0))
        other.listen()
        port = str(other.getsockname()[1])
        rank = '0' if address == '127.0.0.1' else '1'
        on_gpus(0, RANK=rank, WORLD_SIZE='2', MASTER_ADDR=address, MASTER_PORT=port)
        with pytest.raises(
            InvalidInputError, match=f'MASTER_ADDR={address}, MASTER_PORT={port} '
        ) as e:
            init_launcher('pytorch', timeout=2)
    assert '\n' not in str(e.value) and 'PORT=29501 for tools/dist_train.sh' in str(e.value)


@pytest.fixture
def on_gpus(monkeypatch):
    """Pretend that the machine has GPUs: ``on_gpus(1)`` -> what mmengine's ``init_dist`` gets."""

    def pretend(number, **variables):
        called = []
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: number > 0)
        monkeypatch.setattr(torch.cuda, 'device_count', lambda: number)
        monkeypatch.setattr(distributed, 'end_with_parent', lambda: None)
        monkeypatch.setattr(distributed, 'init_dist', lambda *args, **kw: called.append((args, kw)))
        for name, value in {**TORCHRUN, **variables}.items():
            monkeypatch.setenv(name, value)
        return called

    return pretend


def test_they_wait_for_hours(on_gpus, monkeypatch):
    """If it fails, one that makes pseudo-labels for ten minutes ends the others."""
    called = on_gpus(2, RANK='1', LOCAL_RANK='1', LOCAL_WORLD_SIZE='2')
    init_launcher('pytorch')
    assert called == [(('pytorch', 'nccl'), dict(timeout=TIMEOUT))] and TIMEOUT >= 12 * 3600
    given = []
    on_gpus(0)
    start = torch.distributed.init_process_group
    monkeypatch.setattr(torch.distributed, 'init_process_group', lambda *a, **k: given.append(k))
    init_launcher('pytorch', timeout=60)
    assert given == [dict(timeout=timedelta(minutes=1))] and start is not None


def test_more_processes_than_gpus(on_gpus, monkeypatch):
    """If it fails, the second process on one GPU ends in 'invalid device ordinal'."""
    import os

    called = on_gpus(1, RANK='1', LOCAL_RANK='1', LOCAL_WORLD_SIZE='2')
    init_launcher('pytorch')
    assert called[0][0] == ('pytorch', 'gloo') and os.environ['LOCAL_RANK'] == '0'
    on_gpus(1, RANK='0', LOCAL_RANK='0')
    with pytest.warns(UserWarning, match='2 processes share 1 GPU of'):
        init_launcher('pytorch')


JOINS = """
import torch
from incseg.utils.distributed import end_launcher, init_launcher, share_out
init_launcher('mpi')
left = {1, 3, 5, 7}  # all of them are examined by the second process
own, number = share_out(list(range(8)), lambda item: item in left)
total = torch.tensor([len(own)])
torch.distributed.all_reduce(total)
print(torch.distributed.get_rank(), own, number, total.item(), flush=True)
end_launcher()
"""


def test_two_processes_of_mpi(tool_environment, free_port):
    """If it fails, mpirun's processes do not find each other, or one does all that is left."""
    names = list(OPEN_MPI)
    processes = [
        subprocess.Popen(
            [sys.executable, '-c', JOINS],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(
                tool_environment,
                MASTER_PORT=free_port,
                **dict(zip(names, (str(rank), '2', str(rank), '2'))),
            ),
        )
        for rank in range(2)
    ]
    said = []
    for process in processes:
        out, err = process.communicate(timeout=500)
        assert process.returncode == 0, err
        said.append(out)
    assert said == ['0 [1, 5] 4 4\n', '1 [3, 7] 4 4\n']


def test_alone_it_does_everything():
    """If it fails, a single process leaves work undone."""
    assert share_out([4, 2, 7], lambda item: item != 2) == ([4, 7], 2)
