"""Files that a part of a config names, told from others by their content."""
import hashlib
import os
from collections.abc import Mapping
from typing import Any

from incseg.errors import InvalidInputError


def named_files(part: Any) -> dict[str, str]:
    """Every file that a string anywhere in a part of a config is the path of.

    A file that is not there is left out: whoever reads it says so.  The name of
    a part (``type``) is no path.

    Args:
        part: A string, or dicts and lists of whatever.

    Returns:
        The SHA-256 of the content of each, by its path.

    Raises:
        InvalidInputError: One cannot be read.
    """
    if isinstance(part, str):
        return {part: file_sha(part)} if os.path.isfile(part) else {}
    if isinstance(part, Mapping):
        part = [value for key, value in part.items() if key != 'type']
    if not isinstance(part, (list, tuple)):
        return {}
    return {path: sha for item in part for path, sha in named_files(item).items()}


def file_sha(path: str | os.PathLike) -> str:
    """SHA-256 of the content of a file, 64 hexadecimal digits.

    Raises:
        InvalidInputError: It cannot be read.
    """
    try:
        with open(path, 'rb') as file:
            return hashlib.file_digest(file, 'sha256').hexdigest()
    except OSError as error:
        raise InvalidInputError(f'{path} cannot be read: {error.strerror or error}') from error
