"""A folder that experiments share, one after another."""
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.dist import is_main_process

from incseg.datasets.rank_zero import on_rank_zero
from incseg.engine.dir_lock import DirLock
from incseg.errors import SaveError

#: seconds between two looks at a folder that is in use
INTERVAL = 2.


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keeps other runs out of a folder, as a context; waits until they have left it.

    Every process of a group enters it; the first one holds the lock.  None of
    them waits longer than :data:`INTERVAL` for the others, so that no group
    times out.  Where a file system knows no locks there is a warning.

    Args:
        folder: The folder; it is made where it is missing.
    """
    lock = DirLock(folder)
    said = False
    while (owner := on_rank_zero(enter, lock=lock)) is not None:
        if not said and is_main_process():
            print(f'{folder} is in use by process {owner}: waiting until it is ready', flush=True)
        said = True
        time.sleep(INTERVAL)
    try:
        yield
    finally:
        if is_main_process():
            lock.leave()


def enter(lock: DirLock) -> str | None:
    """Take a lock if it is free; else who has it."""
    try:
        return lock.attempt()
    except SaveError as error:
        warnings.warn(f'{error}: another run might work in this folder at the same time')
        return None
