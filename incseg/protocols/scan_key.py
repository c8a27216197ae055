"""When two scans are the same: same files, same reader, same number of classes."""

import hashlib
import os
import pickle
import sys
from functools import partial
from typing import Any

from incseg.errors import InvalidInputError, MissingFileError

FORMAT_VERSION = 1  # raise it when the meaning of a cached row changes
FileState = tuple[str, int, int]


def file_states(paths: list[str]) -> list[FileState]:
    """(name below the common folder, size, modification time in ns) of every file.

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
            found = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            raise MissingFileError(f'{path}: no such label file') from None
        states.append((f'{prefix[folder]}/{name}', found.st_size, found.st_mtime_ns))
    return states


def scan_key(states: list[FileState], read: Any, num_classes: int) -> str:
    """Returns a text that differs when the files, the reader or the classes do.

    A reader is known by its ``cache_key`` if it has one, else by its module and name and by what
    is bound to it, see :meth:`incseg.protocols.ClassIndex.scan`.

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
    if module == '__main__':  # every script's name for itself
        module = os.path.abspath(getattr(sys.modules[module], '__file__', None) or module)
    return f'{module}.{named.__qualname__} {_pickled(read, read)}'


def _pickled(read: object, state: object) -> str:
    try:
        return hashlib.sha256(pickle.dumps(state, protocol=4)).hexdigest()
    except (pickle.PicklingError, AttributeError, TypeError, ValueError) as error:
        raise InvalidInputError(
            f'read={read!r}: expected a picklable callable, such as a function at the top of a '
            f'module, or one with a cache_key ({error})'
        ) from None
