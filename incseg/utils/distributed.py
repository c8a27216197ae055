import logging
import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from mmengine.dist import barrier, broadcast_object_list, init_dist, is_distributed, is_main_process

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
            "launcher 'pytorch' needs torchrun's environment: start with tools/dist_train.sh"
        )
    if torch.cuda.is_available():
        init_dist(launcher)
    elif launcher == 'pytorch':
        torch.distributed.init_process_group('gloo')
    else:
        raise InvalidInputError(
            f'launcher {launcher!r} needs a GPU; on CPU use tools/dist_train.sh (torchrun)'
        )


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


T = TypeVar('T')


def on_rank_zero(work: Callable[..., T], **kwargs: Any) -> T:
    """Do ``work(**kwargs)`` in the first process only and give its answer to all.

    Every process of the group has to call this.  An error of the first process
    is raised in all of them, so that none waits for ever.
    """
    answer: list[Any] = [None, None]
    if is_main_process():
        try:
            answer[0] = work(**kwargs)
        except Exception as error:  # the others wait for us, whatever it is
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
    """The error in a form that survives pickling: one message, no traceback, no cause."""
    try:
        return type(error)(str(error))
    except Exception:
        return RuntimeError(f'{type(error).__name__}: {error}')
