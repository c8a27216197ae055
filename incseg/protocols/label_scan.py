"""Scan of many label files for their classes, by several processes."""

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
from typing import Any

import numpy as np
import numpy.typing as npt

from incseg.constants import VOID
from incseg.errors import InvalidInputError
from incseg.utils.rules import expected

Reader = Callable[[str], npt.NDArray[np.uint8]]
Presence = npt.NDArray[np.bool_]
Job = Callable[[list[str]], Presence]
Chunks = Generator[tuple[slice, Presence], None, None]
CHUNK = 32  # files per task: enough to hide the overhead of the pool, few enough for a live ETA
MIN_FILES_FOR_POOL = 64

_stop: ctypes.c_bool | None = None  # in a worker: true when the caller wants it to end


def parallel_scan(
    paths: list[str],
    read: Reader,
    num_classes: int,
    workers: int,
    on_progress: Callable[[int], None],
) -> Presence:
    """Read every label file and return which classes occur in it.

    Args:
        paths: The label files.
        read: Picklable ``read(path)`` returning uint8 dataset ids.
        num_classes: C, classes without background.
        workers: Number of processes.  Fewer than 64 files are read in this process, and so are
            all files with fewer than two workers.
        on_progress: Called with the number of files that were read since the last call.

    Returns:
        Bool ``(files, C + 1)``: whether the file (row) holds the dataset id (column).

    Raises:
        InvalidInputError: A label map is not uint8, or holds an id above C other than 255.
        Exception: Any error of ``read``.
    """
    presence = np.zeros((len(paths), num_classes + 1), np.bool_)
    chunks = [slice(i, min(i + CHUNK, len(paths))) for i in range(0, len(paths), CHUNK)]
    job = partial(_read_chunk, read=read, num_classes=num_classes)
    daemon = multiprocessing.current_process().daemon  # a daemon may not have child processes
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
    """Return the number of processor cores that this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _in_pool(job: Job, paths: list[str], chunks: list[slice], workers: int) -> Chunks:
    """Yield each chunk of files with its rows of the result, as soon as a worker has read it.

    On an error or Ctrl-C every worker ends after the file that it is reading.
    """
    # Python 3.12+ warns of fork in a process with threads: a lock that another thread holds stays
    # locked in the child.  These workers only read files, so fork is safe.  It takes 0.7 s of
    # processor time for 200 label maps; spawn takes 11 s, since every worker imports torch with
    # the reader.
    context = multiprocessing.get_context('fork' if sys.platform == 'linux' else None)
    stop = context.RawValue(ctypes.c_bool, False)  # an Event would take a lock at every file
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


def classes_in(label_map: Any, path: str, num_classes: int) -> npt.NDArray[np.bool_]:
    """Return, for every dataset id from 0 to ``num_classes``, whether a label map holds it.

    Args:
        label_map: uint8 dataset ids of any shape, 255 = void.
        path: Name of the label map in errors.
        num_classes: C, classes without background.

    Returns:
        Bool ``(C + 1,)``.

    Raises:
        InvalidInputError: The label map is not uint8, or holds an id above C other than 255.
    """
    if getattr(label_map, 'dtype', None) != np.uint8:
        kind = str(getattr(label_map, 'dtype', type(label_map).__name__))
        raise expected(f'{path}: the dtype that the reader returns', kind, "'uint8'")
    ids = np.ascontiguousarray(label_map).reshape(-1)
    present = np.zeros(256, np.bool_)
    # An id occurs if a run of it starts somewhere.  Eight pixels are compared as one word; label
    # maps have few runs, and most of the words that start a run occur many times.
    aligned = len(ids) // 8 * 8
    words = run_starts(np.sort(run_starts(ids[:aligned].view(np.uint64))))
    present[words.view(np.uint8)] = True
    present[ids[aligned:]] = True
    foreign = np.flatnonzero(present[num_classes + 1 : VOID]) + num_classes + 1
    if len(foreign):
        listed = ', '.join(map(str, foreign))
        raise InvalidInputError(
            f'{path}: holds id {listed}, expected 0 to {num_classes} or {VOID} (void)'
        )
    return present[: num_classes + 1]


def run_starts(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return an array without repetitions in a row: ``[1, 1, 2, 1]`` becomes ``[1, 2, 1]``.

    Args:
        values: ``(n,)``, one or more.
    """
    starts = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=starts[1:])
    return values[starts]
