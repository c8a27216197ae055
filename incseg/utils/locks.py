"""Locks on folders: one process at a time works in a folder."""

import fcntl
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from mmengine.dist import is_main_process

from incseg.errors import InvalidInputError, SaveError
from incseg.utils.distributed import on_rank_zero

#: seconds that the last processes of a killed run may take to end
PATIENCE = 10.0


class DirLock:
    """A lock on a folder, as a context: other processes cannot enter the folder.

    The lock belongs to this process and to its child processes that inherit
    :attr:`fd`.  The system releases it when the last of them ends, for
    whatever reason.

    Args:
        folder: The folder; it is created if it is missing.
        patience: Seconds to wait until another process leaves the folder.

    Raises:
        InvalidInputError: On entering, if another process stays in the folder.
        SaveError: On entering, if the folder cannot be written.
    """

    FILE = '.lock'

    def __init__(self, folder: Path, patience: float | None = None):
        self.folder = folder
        self.patience = PATIENCE if patience is None else patience
        self.fd = -1
        self.made: list[Path] = []  # the folders that were created for the lock, inner ones first

    def attempt(self) -> str | None:
        """Take the lock if it is free.

        Returns:
            None, or the number of the process that holds the lock, as text.

        Raises:
            SaveError: The folder cannot be written or locked.
        """
        path, gone = self.folder / self.FILE, 0
        self.made += [each for each in (self.folder, *self.folder.parents) if not each.exists()]
        while True:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                self.fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            except OSError as error:
                gone += isinstance(error, FileNotFoundError)
                if 0 < gone < 10:  # the last holder has removed the folder between the two
                    continue
                raise SaveError(f'cannot write {path}: {error.strerror or error}') from error
            if not self._taken():
                owner = os.read(self.fd, 20).decode(errors='replace').strip() or 'unknown'
                self._close()
                return owner
            if self._is_in_place():
                break
            self._close()  # the last holder has removed the file meanwhile
        try:
            os.ftruncate(self.fd, 0)
            os.pwrite(self.fd, f'{os.getpid()}\n'.encode(), 0)
        except OSError as error:
            self.leave()
            raise SaveError(f'cannot write {path}: {error.strerror or error}') from error
        return None

    def _is_in_place(self) -> bool:
        """Say whether the file that is locked still has its name."""
        try:
            return os.path.samestat(os.fstat(self.fd), os.stat(self.folder / self.FILE))
        except FileNotFoundError:
            return False

    def leave(self, tidy: bool = False) -> None:
        """Release the lock, also for processes forked meanwhile, such as a loader's workers.

        Args:
            tidy: Whether to remove the folder if nothing but the lock is in it, and the folders
                above that were created for it.
        """
        if self.fd >= 0:
            if tidy and os.listdir(self.folder) == [self.FILE]:
                (self.folder / self.FILE).unlink()
                with suppress(OSError):  # another run is in a folder above
                    for folder in self.made or [self.folder]:
                        folder.rmdir()
            fcntl.flock(self.fd, fcntl.LOCK_UN)
        self._close()

    def _close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> 'DirLock':
        end = time.monotonic() + self.patience
        while (owner := self.attempt()) is not None:
            if time.monotonic() >= end:
                raise InvalidInputError(
                    f'{self.folder} is in use by process {owner}, or by one that it started: '
                    'wait for it, or pass another --work-dir'
                )
            time.sleep(0.1)
        return self

    def _taken(self) -> bool:
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            self._close()
            raise SaveError(
                f'cannot lock {self.folder / self.FILE}: {error.strerror or error}'
            ) from error
        return True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()


#: seconds between two attempts to enter a folder
INTERVAL = 2.0


@contextmanager
def exclusive_folder(folder: Path, tidy: bool = False) -> Iterator[None]:
    """Keep other runs out of a folder, as a context; wait until they have left it.

    Every process of a group enters the context; the first process holds the
    lock.  No process waits longer than :data:`INTERVAL` for the others, so the
    group does not time out.  On a file system without locks the function warns
    and goes on.

    Args:
        folder: The folder; it is created if it is missing.
        tidy: Whether to remove the folder at the end if nothing was written in it.
    """
    lock = DirLock(folder)
    announced = False
    while (owner := on_rank_zero(enter, lock=lock)) is not None:
        if not announced and is_main_process():
            print(f'{folder} is in use by process {owner}: waiting until it is ready', flush=True)
        announced = True
        time.sleep(INTERVAL)
    try:
        yield
    finally:
        if is_main_process():
            lock.leave(tidy)


@contextmanager
def only_run(folder: Path) -> Iterator[None]:
    """Keep other runs out of a work dir, as a context, and refuse to enter where one works.

    Every process of a group enters the context; the first process holds the lock.  A folder
    in which nothing was written is removed at the end.  On a file system without locks the
    function warns and goes on.

    Args:
        folder: The folder; it is created if it is missing.

    Raises:
        InvalidInputError: If another run works in the folder; names its process.
    """
    lock = DirLock(folder)
    on_rank_zero(lambda: wait_shortly(lock))
    try:
        yield
    finally:
        if is_main_process():
            lock.leave(tidy=True)


def wait_shortly(lock: DirLock) -> None:
    """Enter a lock, waiting for other processes; only warn where the file system has no locks.

    Args:
        lock: The lock, not entered yet; its ``patience`` says how long to wait.
    """
    try:
        lock.__enter__()
    except SaveError as error:
        warnings.warn(f'{error}: another run might work in this folder at the same time')


def enter(lock: DirLock) -> str | None:
    """Take a lock if it is free; only warn where the file system has no locks.

    Args:
        lock: The lock.

    Returns:
        None, or the number of the process that holds the lock, as text.
    """
    try:
        return lock.attempt()
    except SaveError as error:
        warnings.warn(f'{error}: another run might work in this folder at the same time')
        return None
