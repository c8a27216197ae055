import logging
import os
import sys

import torch
from mmengine.dist import barrier, init_dist, is_distributed

from incseg.errors import InvalidInputError

LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')


def init_launcher(launcher: str) -> None:
    """Join the process group of the launcher: NCCL on GPUs, gloo on CPUs.

    mmengine would select a CUDA device whether there is one or not, so on CPU
    the group is made here, before any Runner asks for it.

    Args:
        launcher: ``'none'``, ``'pytorch'`` (torchrun), ``'slurm'`` or ``'mpi'``.

    Raises:
        InvalidInputError: If the launcher's environment is not there.
    """
    if launcher not in LAUNCHERS:
        raise InvalidInputError(f'launcher is {launcher!r}, allowed: {list(LAUNCHERS)}')
    if launcher == 'none' or is_distributed():
        return
    if launcher == 'pytorch' and 'RANK' not in os.environ:
        raise InvalidInputError(
            "launcher 'pytorch' needs torchrun's environment: start with tools/dist_train.sh")
    if torch.cuda.is_available():
        init_dist(launcher)
    elif launcher == 'pytorch':
        torch.distributed.init_process_group('gloo')
    else:
        raise InvalidInputError(
            f'launcher {launcher!r} needs a GPU; on CPU use tools/dist_train.sh (torchrun)')


def end_launcher() -> None:
    """End this process if it is one of several, when all others are ready to.

    It leaves without Python's own shutdown, in which threads of gloo and of
    DDP now and then abort a process whose work is done.  A single process goes
    on.
    """
    if is_distributed():
        barrier()
        torch.distributed.destroy_process_group()
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
