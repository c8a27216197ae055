"""Files that are written whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from incseg.errors import SaveError


def temporary_name(path: Path) -> Path:
    """A name beside a file that no other process uses."""
    return path.with_name(f'.{path.name}.{os.getpid()}.{uuid4().hex[:8]}.tmp')


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary name to write to, renamed to ``path`` at the end; makes the folder.

    Whatever goes wrong, the temporary file is removed and what stood at
    ``path`` is intact.

    Raises:
        SaveError: it cannot be written.
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
    """Write bytes, or text as UTF-8, whole or not at all; makes the folder.

    Raises:
        SaveError: it cannot be written; what stood at ``path`` is intact.
    """
    with whole_file(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
