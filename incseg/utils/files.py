"""Files that are written whole or not at all, and files of killed writes."""

import hashlib
import json
import os
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from incseg.errors import InvalidInputError, MissingFileError, SaveError

#: ``.<name>.<host>.<process>.<random>.tmp``, see :func:`temporary_name`
TEMPORARY = re.compile(r'\..+\.(?P<host>[0-9a-f]{8})\.(?P<process>\d+)\.[0-9a-f]{8}\.tmp')
#: number of the format of JSON files that hold their own digest
JSON_FORMAT = 1


def temporary_name(path: Path) -> Path:
    """Return an unused path in the folder of ``path``, for a file that is renamed to ``path``.

    No other process and no other call gets the same path.  Nothing is created.
    """
    return path.with_name(f'.{path.name}.{host()}.{os.getpid()}.{uuid4().hex[:8]}.tmp')


def host() -> str:
    """Return eight hexadecimal digits that stand for this machine."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


@contextmanager
def whole_file(path: Path, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path to write to, which is renamed to ``path`` at the end.

    Folders are created.  After an error the temporary file is removed, and the
    old file at ``path`` is intact.

    Args:
        path: The file.
        durable: Whether the file and its name have reached the disk when the context ends, so
            that they survive a power cut.  It takes some milliseconds; leave it out for many
            small files whose loss would be noticed.

    Raises:
        SaveError: The file cannot be written.
    """
    temporary = temporary_name(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if durable:
            reach_disk(temporary)
        os.replace(temporary, path)
        if durable:
            reach_disk(path.parent)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise SaveError(f"cannot write '{path}': {error.strerror or error}") from error
        raise


def reach_disk(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        if not path.is_dir():  # some file systems cannot do it for folders
            raise
    finally:
        os.close(descriptor)


def write_atomically(path: Path, content: bytes | str, durable: bool = True) -> None:
    """Write a file whole or not at all; folders are created.

    Args:
        path: The file.
        content: Bytes, or text, which is written as UTF-8.
        durable: Whether to wait until the file is on the disk, so that it survives a power
            cut.

    Raises:
        SaveError: The file cannot be written; the old file at ``path`` is intact.
    """
    with whole_file(path, durable) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a dict as JSON with a digest of its content, which :func:`read_json` verifies.

    Args:
        path: The file.
        content: Plain data without NaN and infinity, keys are text.

    Raises:
        SaveError: The file cannot be written; the old file at ``path`` is intact.
    """
    content = dict(content, format=JSON_FORMAT)
    content['digest'] = json_digest(content)
    write_atomically(path, json.dumps(content, indent=1, allow_nan=False) + '\n')


def read_json(path: Path, what: str = 'a JSON file', digest: bool = False) -> dict[str, Any]:
    """Read a dict that :func:`write_json` wrote, or one of incseg 0.1, which has no digest.

    Args:
        path: The file.
        what: The kind of file, with its article, for errors.
        digest: Whether a file without digest is refused; incseg 0.1 wrote files without.

    Returns:
        The content without ``format`` and ``digest``.

    Raises:
        MissingFileError: There is no such file.
        InvalidInputError: It cannot be read, or its content is not what was written.
    """
    try:
        content = json.loads(path.read_bytes(), parse_constant=no_constant)
    except FileNotFoundError as error:
        raise MissingFileError(f'{path} does not exist, expected {what}') from error
    except OSError as error:
        raise InvalidInputError(f'{path} cannot be read: {error.strerror or error}') from error
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f'{path} is not {what}: {error}') from error
    if not isinstance(content, dict):
        raise InvalidInputError(f'{path} is not {what}: it holds {content!r:.40}')
    own = content.pop('digest', None)
    if (digest or own is not None or 'format' in content) and own != json_digest(content):
        raise InvalidInputError(
            f'{path} is damaged or was edited: its content is not what was written, see its digest'
        )
    content.pop('format', None)
    return content


def has_digest(path: Path) -> bool:
    """Say whether a JSON file is there and holds a digest; incseg 0.1 wrote none."""
    try:
        return b'"digest"' in path.read_bytes()
    except OSError:
        return False


def json_digest(content: Any) -> str:
    """Return a digest of plain data, 16 hexadecimal digits; the order of a dict counts."""
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def no_constant(name: str) -> None:
    """Raise ``ValueError`` for NaN or Infinity: the ``parse_constant`` of ``json.loads``."""
    raise ValueError(f'{name} is no number of JSON')


def remove_leftovers(folder: Path) -> list[Path]:
    """Remove the temporary files and folders of writes whose process was killed.

    Temporary files of running processes and of other machines stay.

    Args:
        folder: The folder to look through, with all folders below it.

    Returns:
        What was removed.
    """
    removed = []
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            match = TEMPORARY.fullmatch(name)
            if match and match['host'] == host() and not is_running(int(match['process'])):
                path = Path(parent, name)
                with suppress(OSError):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
                    removed.append(path)
        folders[:] = [name for name in folders if not TEMPORARY.fullmatch(name)]
    return removed


def is_running(process: int) -> bool:
    """Say whether the process of this number runs on this machine."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
