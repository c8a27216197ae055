"""A seal at the end of a zip file: the SHA-256 of all bytes before it, as the zip's comment.

Readers of zip files, ``torch.load`` too, pass over the comment.  So every flipped bit is found,
also one in a header or between two records, which changes nothing of what is loaded.
"""

import hashlib
import zipfile
import zlib
from typing import IO

from incseg.errors import InvalidInputError

MARK = b'incseg sha256 '
LENGTH = len(MARK) + 64
#: length of the record that ends a zip file without a comment; the comment's length is its end
END_RECORD = 22
BLOCK = 1 << 20


def put_seal(file: IO[bytes]) -> None:
    """Append a SHA-256 of all bytes (the seal) to a complete zip file without a comment.

    Args:
        file: Open for reading and writing.

    Raises:
        ValueError: The file is no such zip file.
    """
    file.seek(-END_RECORD, 2)
    record = file.read()
    if not record.startswith(b'PK\5\6') or record[-2:] != b'\0\0':
        raise ValueError('the file is no zip without a comment')
    file.seek(-2, 2)
    file.write(LENGTH.to_bytes(2, 'little'))
    file.flush()
    length = file.seek(0, 2)
    file.write(MARK + _sha256(file, length).encode())
    file.flush()


def check_seal(file: IO[bytes]) -> bool:
    """Compare a file with its seal; compare the records of a zip without one with their sums.

    Args:
        file: Open for reading; it is read from its beginning.

    Returns:
        False for a zip file with a comment that incseg did not write; True for every other
        file, whether its bytes were compared or it has nothing to compare them with.

    Raises:
        InvalidInputError: A bit of the file has changed, or it was cut short.
    """
    length = file.seek(0, 2)
    file.seek(max(length - LENGTH, 0))
    seal = file.read()
    if seal.startswith(MARK):
        if _sha256(file, length - LENGTH).encode() != seal[len(MARK) :]:
            raise InvalidInputError('its bytes are not those that were written')
        return True
    file.seek(0)
    try:
        if not zipfile.is_zipfile(file):
            return True
        with zipfile.ZipFile(file) as records:
            broken = records.testzip()
            comment = records.comment
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, NotImplementedError) as error:
        raise InvalidInputError(str(error)) from error
    except (EOFError, KeyError, IndexError, OverflowError, RuntimeError) as error:
        raise InvalidInputError(str(error) or type(error).__name__) from error
    if broken is not None:
        raise InvalidInputError(f'its record {broken!r} is not what was written')
    return not comment


def _sha256(file: IO[bytes], length: int) -> str:
    """Return the SHA-256 of the first bytes of a file."""
    sha = hashlib.sha256()
    file.seek(0)
    while length > 0 and (block := file.read(min(BLOCK, length))):
        sha.update(block)
        length -= len(block)
    return sha.hexdigest()
