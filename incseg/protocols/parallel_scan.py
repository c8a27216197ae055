"""Many label files read by several processes."""

import ctypes
import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Callable, Generator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import closing
from functools import partial

import numpy as np
import numpy.typing as npt

from incseg.protocols.classes_in import classes_in

Reader = Callable[[str], npt.NDArray[np.uint8]]
Presence = npt.NDArray[np.bool_]
Job = Callable[[list[str]], Presence]
Chunks = Generator[tuple[slice, Presence], None, None]
CHUNK = 32  # files per task: many enough to hide the pool's overhead, few enough for a live ETA
MIN_FILES_FOR_POOL = 64

_stop: ctypes.c_bool | None = None  # in a worker: true when the caller gave up


def parallel_scan(
    paths: list[str],
    read: Reader,
    num_classes: int,
    workers: int,
    on_progress: Callable[[int], None],
) -> Presence:
    """Finds the classes of every file.

    Args:
        paths: The label files.
        read: Picklable ``read(path)`` returning uint8 dataset ids.
        num_classes: C, classes without background.
        workers: Processes.  A few files, or fewer than two workers, are read in this process.
        on_progress: Called with the number of files that got ready since the last call.

    Returns:
        Bool ``(files, C + 1)``.

    Raises:
        InvalidInputError: A mask is not as :func:`classes_in` wants it.
        Exception: Whatever ``read`` raises.
    """
    presence = np.zeros((len(paths), num_classes + 1), np.bool_)
    chunks = [slice(i, min(i + CHUNK, len(paths))) for i in range(0, len(paths), CHUNK)]
    job = partial(_read_chunk, read=read, num_classes=num_classes)
    daemon = multiprocessing.current_process().daemon  # such a process may not have children
    results: Chunks
    if workers < 2 or len(paths) < MIN_FILES_FOR_POOL or daemon:
        results = ((chunk, job(paths[chunk])) for chunk in chunks)
    else:
        results = _in_pool(job, paths, chunks, min(workers, len(chunks)))
    with closing(results):
        for chunk, rows in results:
            presence[chunk] = rows
            on_progress(len(rows))
    return presence


def available_cores() -> int:
    """Number of processor cores this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _in_pool(job: Job, paths: list[str], chunks: list[slice], workers: int) -> Chunks:
    """Yields chunks as they get ready.  On an error or Ctrl-C the workers stop after one file."""
    # Python 3.12+ warns of fork beside threads: a lock that another thread holds stays locked in
    # the child.  These workers only read files, so fork it is: 0.7 s of processor time for 200
    # masks, against 11 s with spawn, whose every worker imports torch along with the reader.
    context = multiprocessing.get_context('fork' if sys.platform == 'linux' else None)
    stop = context.RawValue(ctypes.c_bool, False)  # an Event's lock would be asked at every file
    pool = ProcessPoolExecutor(workers, context, _start_worker, (stop,))
    try:
        futures = _submit(pool, job, paths, chunks)
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        stop.value = True
        pool.shutdown(cancel_futures=True)


def _submit(
    pool: ProcessPoolExecutor, job: Job, paths: list[str], chunks: list[slice]
) -> dict[Future[Presence], slice]:
    with warnings.catch_warnings():  # all workers are forked by the first submit
        warnings.filterwarnings('ignore', '.*use of fork', DeprecationWarning)
        return {pool.submit(job, paths[chunk]): chunk for chunk in chunks}


def _start_worker(stop: ctypes.c_bool) -> None:
    global _stop
    _stop = stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller gets Ctrl-C and sets `stop`


def _read_chunk(paths: list[str], read: Reader, num_classes: int) -> Presence:
    presence = np.zeros((len(paths), num_classes + 1), np.bool_)
    for row, path in zip(presence, paths, strict=True):
        if _stop is not None and _stop.value:
            break
        row[:] = classes_in(read(path), path, num_classes)
    return presence
