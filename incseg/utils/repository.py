"""Folders of the library's configs and tools, in a checkout or an installation."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def library_files() -> Path:
    """Return the folder that holds ``configs/`` and ``tools/``.

    In a checkout that is the repository's root, in an installed wheel ``incseg/_data``.
    """
    installed = PACKAGE / '_data'
    return installed if installed.is_dir() else PACKAGE.parent


def tools_folder() -> Path:
    """Return the folder of the command-line tools."""
    return library_files() / 'tools'


def relative_to_library(path: str | Path) -> str:
    """Return a path relative to :func:`library_files`, or unchanged where it lies elsewhere.

    Args:
        path: A file's path, usually of a config.
    """
    root, resolved = library_files(), Path(path).resolve()
    return resolved.relative_to(root).as_posix() if resolved.is_relative_to(root) else str(path)
