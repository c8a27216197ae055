"""Finished scans on disk."""

import hashlib
import os
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt

from incseg.atomic_file import write_atomically
from incseg.errors import SaveError


class PresenceCache:
    """The file of one scan: the SHA-256 of the rows, then the rows, a byte for each bool.

    Args:
        key: What tells the scan from others, see :func:`incseg.protocols.scan_key.scan_key`.
        cache_dir: Folder of cached scans.  Default: ``class_index`` below ``$INCSEG_CACHE_DIR``,
            ``$XDG_CACHE_HOME/incseg`` or ``~/.cache/incseg``.
    """

    def __init__(self, key: str, cache_dir: str | os.PathLike[str] | None = None) -> None:
        folder = _default_folder() if cache_dir is None else Path(cache_dir)
        self.path = folder / f'{key}.bin'

    def load(self, shape: tuple[int, int]) -> npt.NDArray[np.bool_] | None:
        """Returns the cached rows, or None if there are none or they are damaged."""
        try:
            content = self.path.read_bytes()
        except OSError:
            return None
        digest, rows = content[:32], content[32:]
        if len(rows) != shape[0] * shape[1] or hashlib.sha256(rows).digest() != digest:
            return None
        return np.frombuffer(rows, np.bool_).reshape(shape)

    def save(self, rows: npt.NDArray[np.bool_]) -> None:
        """Writes the rows, whole or not at all.

        Warns:
            UserWarning: The rows could not be written.  It points at the caller's caller.
        """
        content = rows.tobytes()
        try:
            write_atomically(self.path, hashlib.sha256(content).digest() + content)
        except SaveError as error:
            reason = getattr(error.__cause__, 'strerror', None) or error
            warnings.warn(f'class index not cached in {self.path.parent}: {reason}', stacklevel=3)


def _default_folder() -> Path:
    root = os.environ.get('INCSEG_CACHE_DIR')
    if not root:
        home = os.environ.get('XDG_CACHE_HOME') or os.path.join('~', '.cache')
        root = os.path.join(home, 'incseg')
    return Path(os.path.expanduser(root)) / 'class_index'
