import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from mmengine.dist import barrier, broadcast_object_list, init_dist, is_distributed, is_main_process

from incseg.errors import InvalidInputError
from incseg.utils.rules import any_of, expected

LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')


def init_launcher(launcher: str) -> None:
    """Join the process group of the launcher: NCCL on GPUs, gloo on CPUs.

    mmengine selects a CUDA device even if there is none.  On a CPU the group is
    therefore created here, before any Runner asks for it.

    Args:
        launcher: ``'none'``, ``'pytorch'`` (torchrun), ``'slurm'`` or ``'mpi'``.

    Raises:
        InvalidInputError: The launcher's environment variables are missing.
    """
    if launcher not in LAUNCHERS:
        raise expected('launcher', launcher, any_of(LAUNCHERS))
    if launcher == 'none' or is_distributed():
        return
    end_with_parent()
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


T = TypeVar('T')


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
