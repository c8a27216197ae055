"""Files that are written whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from incseg.errors import SaveError


def temporary_name(path: Path) -> Path:
    """Return a path in the folder of ``path`` that no file has, for a file to be renamed later.

    No other process and no other call gets the same path.  Nothing is created.
    """
    return path.with_name(f'.{path.name}.{os.getpid()}.{uuid4().hex[:8]}.tmp')


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to, which is renamed to ``path`` at the end.

    Folders are created.  After an error the temporary file is removed, and the
    old file at ``path`` is intact.

    Args:
        path: The file.

    Raises:
        SaveError: The file cannot be written.
    """
    temporary = temporary_name(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise SaveError(f"cannot write '{path}': {error.strerror or error}") from error
        raise


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write a file whole or not at all; folders are created.

    Args:
        path: The file.
        content: Bytes, or text, which is written as UTF-8.

    Raises:
        SaveError: The file cannot be written; the old file at ``path`` is intact.
    """
    with whole_file(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
