"""What is known of the content of many files, such as its digest: read once and remembered."""

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
#: a file that changed less than so many nanoseconds before it was read may change again without
#: another time: it is not remembered
YOUNG = 2 * 10**9
#: files that a thread reads one after the other
AT_ONCE = 16


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
    return remembered_facts(paths, 'file_digests', 32, lambda path: digest_of(path), update)


def remembered_facts(
    paths: Sequence[str],
    kind: str,
    size: int,
    read: Callable[[str], bytes],
    update: Callable[[int], object] = lambda done: None,
) -> list[bytes]:
    """Return what ``read`` says of each file; of an unchanged file it is asked once.

    Args:
        paths: The files.
        kind: Name of the facts: the folder of their cache, see :func:`cache_folder`.
        size: Number of bytes that ``read`` returns for each file.
        read: Reads a file; several threads call it.
        update: Called with the number of files that were read since the last call.

    Raises:
        MissingFileError: There is no such file.
        Exception: Any error of ``read``.
    """
    states = [file_state(path) for path in paths]
    folders = sorted({os.path.dirname(os.path.abspath(path)) for path in paths})
    cache = FactCache(kind, size, folders)
    known = cache.load()
    facts = [known.get(state) for state in states]
    lacking = [i for i, value in enumerate(facts) if value is None]
    parts = [lacking[start : start + AT_ONCE] for start in range(0, len(lacking), AT_ONCE)]
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for part, values in zip(
            parts, pool.map(lambda part: [read(paths[i]) for i in part], parts), strict=True
        ):
            for i, value in zip(part, values, strict=True):
                facts[i] = value
            update(len(part))
    if lacking:
        now = time.time_ns()
        pairs = zip(states, facts, strict=True)
        old = {s: fact for s, fact in pairs if fact is not None and max(s[3:]) < now - YOUNG}
        here = {state[:2] for state in states}  # other files of the folders stay remembered
        cache.save({s: fact for s, fact in known.items() if s[:2] not in here} | old)
    return [value for value in facts if value is not None]


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


class FactCache:
    """The remembered facts of one kind about the files of some folders.

    They are kept in one file of :func:`cache_folder`; a damaged one counts as missing.

    Args:
        kind: Name of the facts.
        size: Number of bytes of each fact.
        folders: The folders; other folders have another file.
    """

    def __init__(self, kind: str, size: int, folders: Sequence[str]):
        key = hashlib.sha256('\0'.join(folders).encode('utf-8', 'surrogateescape')).hexdigest()
        self.path = cache_folder(kind) / f'{key}.bin'
        self.row = np.dtype([(name, np.int64) for name in STATE] + [('fact', np.void, size)])

    def load(self) -> dict[tuple[int, ...], bytes]:
        """Return the remembered facts, by the :func:`file_state` of their files; {} for none."""
        try:
            content = self.path.read_bytes()
        except OSError:
            return {}
        digest, rows = content[:32], content[32:]
        if len(rows) % self.row.itemsize or hashlib.sha256(rows).digest() != digest:
            return {}
        table = np.frombuffer(rows, self.row)
        states = zip(*(table[name].tolist() for name in STATE), strict=True)
        return dict(zip(states, table['fact'].tolist(), strict=True))

    def save(self, facts: dict[tuple[int, ...], bytes]) -> None:
        """Write the facts, by :func:`file_state`; a folder that cannot be written is no error."""
        table = np.array([(*state, fact) for state, fact in facts.items()], self.row)
        rows = table.tobytes()
        with suppress(SaveError):
            write_atomically(self.path, hashlib.sha256(rows).digest() + rows, durable=False)
            remove_leftovers(self.path.parent)
