"""The classes that occur in each image: one scan of the label files, cached on disk."""

import hashlib
import os
import pickle
import sys
import time
import warnings
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from incseg.constants import MAX_CLASSES
from incseg.errors import MissingFileError, SaveError
from incseg.protocols.label_scan import Presence, Reader, available_cores, parallel_scan
from incseg.utils.file_digests import cache_folder
from incseg.utils.files import remove_leftovers, write_atomically
from incseg.utils.progress import Progress
from incseg.utils.rules import expected, whole_number


class ClassIndex:
    """The classes that occur in each image of a data set.

    Args:
        files: Paths of the label files, one per image.
        presence: Bool ``(files, C + 1)``: whether the file (row) holds the dataset id (column).

    Attributes:
        files: The label files, in the order of the argument.
        presence: Bool ``(files, C + 1)``, as above; the argument of ``Protocol.select``.

    Raises:
        InvalidInputError: ``presence`` is not one bool row per file.
    """

    def __init__(self, files: Sequence[str | os.PathLike[str]], presence: Presence) -> None:
        shape: tuple[int, ...] = presence.shape
        if presence.dtype != np.bool_ or len(shape) != 2 or shape[0] != len(files):
            raise expected(
                'dtype and shape of presence',
                (str(presence.dtype), shape),
                f'bool and ({len(files)}, classes + 1)',
            )
        self.files = tuple(os.fspath(file) for file in files)
        self.presence = presence

    @classmethod
    def scan(
        cls,
        files: Sequence[str | os.PathLike[str]],
        read: Reader,
        num_classes: int,
        cache_dir: str | os.PathLike[str] | None = None,
        num_workers: int | None = None,
        description: str = 'class index',
        progress: bool = True,
    ) -> 'ClassIndex':
        """Read every label file, or take the result of an earlier scan from the cache.

        A cached result is used if every file has the same size, modification time and name
        (below the common folder of all files), and the set of files, the reader and
        ``num_classes`` are the same.  Files that were replaced by others of equal names, sizes
        and times are not noticed: :func:`rescan_from_now` makes all results anew.  A reader is
        identified by its attribute ``cache_key`` if it has one, else by its module, its name and
        the values bound to it (arguments of ``functools.partial``, the state of an object).
        Change ``cache_key`` when the reader's code changes the ids that it returns.

        Args:
            files: Paths of the label files.
            read: Picklable ``read(path)`` returning uint8 dataset ids of any shape, 255 = void.
            num_classes: C, classes without background, 1 to 254.
            cache_dir: Folder of cached scans.  Default: ``class_index`` below
                ``$INCSEG_CACHE_DIR``, ``$XDG_CACHE_HOME/incseg`` or ``~/.cache/incseg``.
            num_workers: Number of processes.  Default: the processor cores that this process
                may use.  A few files are read in this process, and so are all files with fewer
                than two workers.
            description: Name of the work in the progress line.
            progress: Whether to print progress on stderr.

        Returns:
            The index, in the order of ``files``.

        Raises:
            MissingFileError: A file does not exist.
            InvalidInputError: A file holds an id above ``num_classes`` other than 255, ``read``
                did not return uint8, or an argument is out of range.
            Exception: Any error of ``read``, in a worker too.

        Warns:
            UserWarning: The cache could not be written.  The result is complete.
        """
        num_classes = whole_number('num_classes', num_classes, 1, MAX_CLASSES)
        if num_workers is None:
            num_workers = available_cores()
        workers = whole_number('num_workers', num_workers, 0)
        paths = [os.fspath(file) for file in files]
        states = file_states(paths)
        order = sorted(range(len(paths)), key=states.__getitem__)
        key = scan_key([states[i] for i in order], read, num_classes)
        cache = PresenceCache(key, cache_dir)
        rows = cache.load((len(paths), num_classes + 1))
        if rows is None:
            ordered = [paths[i] for i in order]
            with closing(Progress(len(paths), description, progress)) as bar:
                rows = parallel_scan(ordered, read, num_classes, workers, bar.update)
            cache.save(rows)
        presence = np.empty_like(rows)
        presence[order] = rows
        return cls(paths, presence)

    def counts(self) -> npt.NDArray[np.int64]:
        """Return the number of images with each dataset id: int64 ``(C + 1,)``."""
        counts: npt.NDArray[np.int64] = self.presence.sum(axis=0, dtype=np.int64)
        return counts

    def __len__(self) -> int:
        return len(self.files)


#: the environment variable with the time, in seconds since 1970, from which on scans are used
RESCAN = 'INCSEG_RESCAN'
#: files of scans that this process made since then; the clock of files may be a little behind
_made: set[Path] = set()


def rescan_from_now() -> None:
    """Use no cached scan that was made before now, in this process and in those that it starts.

    Each scan is made once more and cached again, however often its data set is built.
    """
    os.environ[RESCAN] = repr(time.time())
    _made.clear()


class PresenceCache:
    """The file that keeps the result of one scan of label files, ``<cache_dir>/<key>.bin``.

    Its first 32 bytes are the SHA-256 of the rest, which shows damage.  The rest is the bool
    table ``presence`` of :class:`ClassIndex`, one byte per entry.

    Args:
        key: Identifies the scan, see :func:`incseg.protocols.class_index.scan_key`.
        cache_dir: Folder of cached scans.  Default: ``class_index`` below ``$INCSEG_CACHE_DIR``,
            ``$XDG_CACHE_HOME/incseg`` or ``~/.cache/incseg``.
    """

    def __init__(self, key: str, cache_dir: str | os.PathLike[str] | None = None) -> None:
        folder = cache_folder('class_index') if cache_dir is None else Path(cache_dir)
        self.path = folder / f'{key}.bin'

    def load(self, shape: tuple[int, int]) -> npt.NDArray[np.bool_] | None:
        """Read the table that an earlier scan saved.

        Args:
            shape: ``(files, C + 1)`` of the table.

        Returns:
            Bool of that shape, read-only; None if there is no such file, if it is damaged or
            holds a table of another size, or is older than :func:`rescan_from_now` allows.
        """
        try:
            changed = os.stat(self.path).st_mtime
            if self.path not in _made and changed < float(os.environ.get(RESCAN, 0)):
                return None
            content = self.path.read_bytes()
        except OSError:
            return None
        digest, rows = content[:32], content[32:]
        if len(rows) != shape[0] * shape[1] or hashlib.sha256(rows).digest() != digest:
            return None
        return np.frombuffer(rows, np.bool_).reshape(shape)

    def save(self, rows: npt.NDArray[np.bool_]) -> None:
        """Write the table to the file, whole or not at all.

        Args:
            rows: Bool ``(files, C + 1)``.

        Warns:
            UserWarning: The file could not be written.  The warning points at the line that
                called the caller of this method.
        """
        content = rows.tobytes()
        try:
            write_atomically(self.path, hashlib.sha256(content).digest() + content)
            _made.add(self.path)
            remove_leftovers(self.path.parent)
        except SaveError as error:
            reason = getattr(error.__cause__, 'strerror', None) or error
            warnings.warn(f'class index not cached in {self.path.parent}: {reason}', stacklevel=3)


FORMAT_VERSION = 1  # raise it when the meaning of a cached row changes
FileState = tuple[str, int, int]


def file_states(paths: list[str]) -> list[FileState]:
    """Return (name, size in bytes, modification time in ns) of every label file, in order.

    A name is the path below the deepest folder that contains all files, so the states do not
    change when the whole data set is moved.

    Raises:
        MissingFileError: A file does not exist.
    """
    split = [os.path.split(path) for path in paths]
    folders = {folder: os.path.abspath(folder) for folder, _ in split}
    try:
        common = os.path.commonpath(folders.values()) if folders else ''
        prefix = {f: os.path.relpath(path, common) for f, path in folders.items()}
    except ValueError:  # on several Windows drives
        prefix = folders
    states = []
    for path, (folder, name) in zip(paths, split, strict=True):
        try:
            state = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            raise MissingFileError(f'{path}: no such label file') from None
        states.append((f'{prefix[folder]}/{name}', state.st_size, state.st_mtime_ns))
    return states


def scan_key(states: list[FileState], read: Any, num_classes: int) -> str:
    """Return the name of a scan in the cache: a SHA-256 that changes with files, reader or classes.

    Args:
        states: Sorted result of :func:`file_states`.
        read: The reader; :meth:`incseg.protocols.ClassIndex.scan` says how it is identified.
        num_classes: C, classes without background.

    Raises:
        InvalidInputError: The reader has no ``cache_key`` and cannot be pickled.
    """
    # No name holds a NUL, so no two lists of files give the same text.
    lines = [f'{name}\0{size}\0{mtime}\0' for name, size, mtime in states]
    head = f'{FORMAT_VERSION}\0{num_classes}\0{_identity(read)}\0'
    return hashlib.sha256((head + ''.join(lines)).encode('utf-8', 'surrogateescape')).hexdigest()


def _identity(read: Any) -> str:
    key = getattr(read, 'cache_key', None)
    if key is not None:
        return f'key {key}'
    if isinstance(read, partial):
        bound = _pickled(read, (read.args, sorted(read.keywords.items())))
        return f'{_identity(read.func)} with {bound}'
    named = read if hasattr(read, '__qualname__') else type(read)
    module = named.__module__
    if module == '__main__':  # the name of every script
        module = os.path.abspath(getattr(sys.modules[module], '__file__', None) or module)
    return f'{module}.{named.__qualname__} {_pickled(read, read)}'


def _pickled(read: object, state: object) -> str:
    try:
        return hashlib.sha256(pickle.dumps(state, protocol=4)).hexdigest()
    except (pickle.PicklingError, AttributeError, TypeError, ValueError) as error:
        raise expected(
            'read',
            read,
            'a callable that can be pickled, such as a function at the top of a module, or one '
            f'with a cache_key ({error})',
        ) from None
