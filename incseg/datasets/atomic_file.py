"""Files that are written whole or not at all."""
import os
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from incseg.errors import SaveError


def write_atomically(path: Path, content: bytes) -> None:
    """Write to a name of its own beside ``path``, then rename; makes the folder.

    Raises:
        SaveError: it cannot be written; what stood at ``path`` is intact.
    """
    temporary = path.with_name(f'.{path.name}.{os.getpid()}.{uuid4().hex[:8]}.tmp')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise SaveError(f"cannot write '{path}': {error.strerror or error}") from error
