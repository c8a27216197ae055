import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from itertools import chain
from typing import Any, TypeVar

import torch
from mmengine.dist import (
    all_gather_object,
    barrier,
    broadcast_object_list,
    get_rank,
    get_world_size,
    init_dist,
    is_distributed,
    is_main_process,
)

from incseg.errors import InvalidInputError
from incseg.utils.rules import any_of, expected

T = TypeVar('T')

LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')
#: a variable of each launcher, and how to start so that it is set
STARTS = dict(
    pytorch=('RANK', 'torchrun: start with torchrun --nproc_per_node N -m incseg …'),
    slurm=('SLURM_PROCID', 'srun: start with srun'),
)
#: what launchers tell every process
VARIABLES = dict(
    pytorch=('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT'),
    slurm=('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_NODELIST'),
)
#: those that are no whole numbers
NAMES = ('MASTER_ADDR', 'SLURM_NODELIST')
#: seconds that a process waits for the others of its group: one may make pseudo-labels or scan
#: masks for hours while the others wait.  NCCL's own limit is ten minutes.
TIMEOUT = 24 * 3600.0
#: where launchers of MPI name a process: Open MPI; MPICH and Intel MPI
MPI_VARIABLES = (
    dict(
        RANK='OMPI_COMM_WORLD_RANK',
        WORLD_SIZE='OMPI_COMM_WORLD_SIZE',
        LOCAL_RANK='OMPI_COMM_WORLD_LOCAL_RANK',
        LOCAL_WORLD_SIZE='OMPI_COMM_WORLD_LOCAL_SIZE',
    ),
    dict(
        RANK='PMI_RANK',
        WORLD_SIZE='PMI_SIZE',
        LOCAL_RANK='MPI_LOCALRANKID',
        LOCAL_WORLD_SIZE='MPI_LOCALNRANKS',
    ),
)


def init_launcher(launcher: str, timeout: float = TIMEOUT) -> None:
    """Join the process group of the launcher: NCCL on GPUs, gloo on CPUs.

    mmengine selects a CUDA device even if there is none.  On a CPU the group is
    therefore created here, before any Runner asks for it.  Where a machine has more processes
    than GPUs they share the GPUs by gloo, because NCCL refuses two processes on one.

    Args:
        launcher: ``'none'``, ``'pytorch'`` (torchrun), ``'slurm'`` or ``'mpi'``.
        timeout: Seconds that a process waits for the others.

    Raises:
        InvalidInputError: The launcher's environment variables are missing or wrong, or the
            processes do not meet at the address that they name.
    """
    if launcher not in LAUNCHERS:
        raise expected('launcher', launcher, any_of(LAUNCHERS))
    if launcher == 'none' or is_distributed():
        return
    end_with_parent()
    if launcher == 'mpi':
        os.environ.update(mpi_environment(os.environ))
        launcher = 'pytorch'  # from here on both are the same
    first, command = STARTS[launcher]
    if first not in os.environ:
        raise InvalidInputError(f'launcher {launcher!r} needs the environment of {command}')
    check_environment(os.environ, VARIABLES[launcher], command)
    if launcher != 'pytorch' and not torch.cuda.is_available():
        raise InvalidInputError(
            f'launcher {launcher!r} needs a GPU; on a CPU use torchrun with --launcher pytorch'
        )
    try:
        if torch.cuda.is_available():
            init_dist(launcher, _shared_gpus() or 'nccl', timeout=timeout)
        else:
            torch.distributed.init_process_group('gloo', timeout=timedelta(seconds=timeout))
    except torch.distributed.DistError as error:
        address, port = (os.environ.get(name, '?') for name in ('MASTER_ADDR', 'MASTER_PORT'))
        raise InvalidInputError(
            f'the processes do not meet at MASTER_ADDR={address}, MASTER_PORT={port} '
            f'({_first_sentence(error)}): name the machine of rank 0 and a port that no other job '
            'has, as MASTER_PORT=29501 (PORT=29501 for tools/dist_train.sh)'
        ) from error


def check_environment(environment: Mapping[str, str], names: Sequence[str], start: str) -> None:
    """Refuse a process whose launcher did not tell it all that it has to know.

    Args:
        environment: The process's variables.
        names: The variables it needs; all but addresses are whole numbers.
        start: The launcher, and how to start with it, for the message.

    Raises:
        InvalidInputError: Naming the variables that are missing, or the one that is no number.
    """
    if missing := [name for name in names if not environment.get(name)]:
        there = [f'{name}={environment[name]}' for name in names if environment.get(name)]
        raise InvalidInputError(
            f'{", ".join(missing)} not set, but {", ".join(there)}: all of them are set by {start}'
        )
    for name in (*names, 'LOCAL_WORLD_SIZE'):
        if name not in NAMES and not environment.get(name, '1').isdecimal():
            raise expected(name, environment[name], f'a whole number, as set by {start}')


def _first_sentence(error: Exception) -> str:
    """Return what an error of torch says, without its stack in C++."""
    return str(error).strip().partition('\n')[0].partition('. ')[0].rstrip('.')


def mpi_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return torchrun's variables of a process that mpirun has started.

    Args:
        environment: The process's variables; its own ``MASTER_ADDR`` and ``MASTER_PORT`` are kept.

    Raises:
        InvalidInputError: mpirun's variables are missing or no numbers, or the processes are on
            several machines and ``MASTER_ADDR`` does not name one.
    """
    names = max(MPI_VARIABLES, key=lambda names: sum(x in environment for x in names.values()))
    if not any(name in environment for name in names.values()):
        raise InvalidInputError(
            "launcher 'mpi' needs the variables that mpirun sets "
            f'({", ".join(MPI_VARIABLES[0].values())}): start with mpirun -np N, or with '
            'torchrun and --launcher pytorch'
        )
    start = 'Open MPI, Intel MPI or MPICH 4; else start with torchrun and --launcher pytorch'
    check_environment(environment, tuple(names.values()), start)
    found = {key: environment[name] for key, name in names.items()}
    if 'MASTER_ADDR' not in environment and found['LOCAL_WORLD_SIZE'] != found['WORLD_SIZE']:
        raise InvalidInputError(
            'MASTER_ADDR is not set, and the processes are on several machines: name that of '
            'rank 0 (mpirun -x MASTER_ADDR=…)'
        )
    return dict(
        found,
        MASTER_ADDR=environment.get('MASTER_ADDR', '127.0.0.1'),
        MASTER_PORT=environment.get('MASTER_PORT', '29500'),
    )


def _shared_gpus() -> str | None:
    """Give this process one of the GPUs and return ``'gloo'`` if there are fewer than processes."""
    processes = int(os.environ.get('LOCAL_WORLD_SIZE', '1'))
    gpus = torch.cuda.device_count()
    if processes <= gpus:
        return None
    os.environ['LOCAL_RANK'] = str(int(os.environ['LOCAL_RANK']) % gpus)
    if os.environ['RANK'] == '0':
        warnings.warn(
            f'{processes} processes share {gpus} GPU{"s"[: gpus > 1]} of this machine: '
            'they talk by gloo, which is slower than NCCL'
        )
    return 'gloo'


def share_of(items: Sequence[T]) -> Sequence[T]:
    """Return the part of ``items`` that this process works on, every ``world_size``-th."""
    return items[get_rank() :: get_world_size()]


def share_out(items: Sequence[T], is_left: Callable[[T], bool]) -> tuple[list[T], int]:
    """Divide the items that are left among the processes, in equal parts.

    Every process of the group calls this function and examines a part of the items; those that
    are left are shared out afterwards, so that none gets more of them than another.

    Args:
        items: The items in one order, the same in all processes; they can be hashed.
        is_left: Says whether an item is left to do.

    Returns:
        This process's items, and how many are left for all.
    """
    found = all_gather_object([item for item in share_of(items) if is_left(item)])
    left = set(chain.from_iterable(found))
    return list(share_of([item for item in items if item in left])), len(left)


def end_with_parent(interval: float = 1.0) -> None:
    """End this process as soon as the one that started it has ended, for whatever reason.

    A launcher that is killed cannot stop its workers: without this they train on, and hold the
    work dir and the GPU.

    Args:
        interval: Seconds between two checks.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(interval)
        print('error: the launcher has ended, and so does its process', file=sys.stderr, flush=True)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name='end with parent').start()


def end_launcher() -> None:
    """End this process of a group as soon as all others reach this call.

    It ends without Python's own shutdown: in that, threads of gloo and of DDP
    sometimes abort a process whose work is done.  A process without a group
    continues.
    """
    if is_distributed():
        barrier()
        torch.distributed.destroy_process_group()
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def on_rank_zero(work: Callable[..., T], **kwargs: Any) -> T:
    """Call ``work(**kwargs)`` in the first process and return its result in all.

    Every process of the group has to call this function.

    Args:
        work: The function; its result can be pickled.
        kwargs: The arguments of ``work``.

    Returns:
        The result of the first process.

    Raises:
        Exception: The error of the first process, in all processes, so that
            none of them waits for ever.
    """
    answer: list[Any] = [None, None]
    if is_main_process():
        try:
            answer[0] = work(**kwargs)
        except Exception as error:  # any error: the other processes wait
            answer[1] = error
    own_error = answer[1]
    if own_error is not None:
        answer[1] = _portable(own_error)
    broadcast_object_list(answer)
    if own_error is not None:
        raise own_error
    if answer[1] is not None:
        raise answer[1]
    return answer[0]


def _portable(error: Exception) -> Exception:
    """Return an error that can be pickled: one message, no traceback, no cause."""
    try:
        return type(error)(str(error))
    except Exception:
        return RuntimeError(f'{type(error).__name__}: {error}')
