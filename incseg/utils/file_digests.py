"""The content of many files as digests, read once and remembered."""

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np

from incseg.errors import InvalidInputError, MissingFileError, SaveError
from incseg.utils.files import remove_leftovers, write_atomically

#: what tells that a file is the one that was read: device, inode, size, times of change in ns
STATE = ('device', 'inode', 'size', 'mtime', 'ctime')
ROW = np.dtype([(name, np.int64) for name in STATE] + [('digest', np.void, 32)])
#: a file that changed less than so many nanoseconds before it was read may change again without
#: another time: it is not remembered
YOUNG = 2 * 10**9


def cache_folder(name: str) -> Path:
    """Return the folder of one kind of cached results.

    It lies below ``$INCSEG_CACHE_DIR``, ``$XDG_CACHE_HOME/incseg`` or ``~/.cache/incseg``.
    """
    root = os.environ.get('INCSEG_CACHE_DIR')
    if not root:
        home = os.environ.get('XDG_CACHE_HOME') or os.path.join('~', '.cache')
        root = os.path.join(home, 'incseg')
    return Path(os.path.expanduser(root)) / name


def file_digests(
    paths: Sequence[str], update: Callable[[int], object] = lambda done: None
) -> list[bytes]:
    """Return the SHA-256 of the content of each file, 32 bytes.

    A file that has the same device, inode, size and times of change as at an earlier call is
    not read again.

    Args:
        paths: The files.
        update: Called with the number of files that were read since the last call.

    Raises:
        MissingFileError: There is no such file.
        InvalidInputError: A file cannot be read.
    """
    states = [file_state(path) for path in paths]
    cache = DigestCache(sorted({os.path.dirname(os.path.abspath(path)) for path in paths}))
    known = cache.load()
    digests = [known.get(state) for state in states]
    lacking = [i for i, value in enumerate(digests) if value is None]
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for i, value in zip(lacking, pool.map(lambda i: digest_of(paths[i]), lacking), strict=True):
            digests[i] = value
            update(1)
    if lacking:
        now = time.time_ns()
        pairs = zip(states, digests, strict=True)
        cache.save({s: d for s, d in pairs if d is not None and max(s[3:]) < now - YOUNG})
    return [value for value in digests if value is not None]


def file_state(path: str) -> tuple[int, ...]:
    """Return a file's device, inode, size and times of change (:data:`STATE`).

    Raises:
        MissingFileError: There is no such file.
    """
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise MissingFileError(f'{path}: no such file') from None
    times = found.st_mtime_ns, found.st_ctime_ns
    return (found.st_dev, found.st_ino, found.st_size, *times)


def digest_of(path: str | os.PathLike[str]) -> bytes:
    """Return the SHA-256 of the content of a file, 32 bytes.

    Raises:
        InvalidInputError: The file cannot be read.
    """
    whole = hashlib.sha256()
    try:
        with open(path, 'rb') as file:
            while part := file.read(1 << 20):
                whole.update(part)
        return whole.digest()
    except OSError as error:
        raise InvalidInputError(f'{path} cannot be read: {error.strerror or error}') from error


class DigestCache:
    """The remembered digests of the files of some folders.

    They are kept in one file of :func:`cache_folder`; a damaged one counts as missing.

    Args:
        folders: The folders; other folders have another file.
    """

    def __init__(self, folders: Sequence[str]):
        key = hashlib.sha256('\0'.join(folders).encode('utf-8', 'surrogateescape')).hexdigest()
        self.path = cache_folder('file_digests') / f'{key}.bin'

    def load(self) -> dict[tuple[int, ...], bytes]:
        """Return the remembered digests, by the :func:`file_state` of their files; {} for none."""
        try:
            content = self.path.read_bytes()
        except OSError:
            return {}
        digest, rows = content[:32], content[32:]
        if len(rows) % ROW.itemsize or hashlib.sha256(rows).digest() != digest:
            return {}
        table = np.frombuffer(rows, ROW)
        states = zip(*(table[name].tolist() for name in STATE), strict=True)
        return dict(zip(states, table['digest'].tolist(), strict=True))

    def save(self, digests: dict[tuple[int, ...], bytes]) -> None:
        """Write the digests, by :func:`file_state`; a folder that cannot be written is no error."""
        table = np.array([(*state, digest) for state, digest in digests.items()], ROW)
        rows = table.tobytes()
        with suppress(SaveError):
            write_atomically(self.path, hashlib.sha256(rows).digest() + rows, durable=False)
            remove_leftovers(self.path.parent)
