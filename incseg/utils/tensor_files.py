"""Files of tensors and plain data: sealed when written, verified and read without running code.

A file that incseg writes is ``{state_dict, meta, …}``.  Its ``meta`` says the number of the
``format``, the ``kind`` of file, ``tensors`` (the digest of ``state_dict``) and ``digest`` (that
of everything else); the end of the file is a seal over all its bytes.  So damage is found at
every read, also where the file was copied alone or was packed anew.
"""

import os
import pickle
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any, BinaryIO

import torch

from incseg.errors import InvalidInputError, MissingFileError, SaveError
from incseg.utils.content_digest import content_digest, tensors_digest
from incseg.utils.file_seal import check_seal, put_seal
from incseg.utils.files import whole_file

FilePath = str | os.PathLike[str]

#: the format that is written; files of incseg 0.1, which do not say theirs, are of format 0
FORMAT = 1
#: kinds of files, as a message calls them
KINDS = dict(
    step="a step's final.pth",
    resume='a resume.pth, from which an interrupted training goes on',
    seam='a seam.pth, a network of SEAM',
    affinity='a network of AffinityNet',
)


def sealed(content: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return a copy of the content whose ``meta`` also has format, kind and digests.

    Args:
        content: ``{state_dict, meta, …}`` of tensors and plain data.
        kind: A key of :data:`KINDS`, as ``'step'``.
    """
    own = ('format', 'kind', 'tensors', 'digest')
    meta = {key: value for key, value in content['meta'].items() if key not in own}
    tensors = tensors_digest(content['state_dict'])
    meta = dict(meta, format=FORMAT, kind=kind, tensors=tensors)
    made = {**content, 'meta': meta}
    return {**made, 'meta': dict(meta, digest=_rest_digest(made))}


def _rest_digest(content: dict[str, Any]) -> str:
    """Return the digest of everything but the weights and the digest itself."""
    meta = {key: value for key, value in content['meta'].items() if key != 'digest'}
    return content_digest({**content, 'state_dict': None, 'meta': meta})


def save_atomically(content: Any, path: FilePath) -> None:
    """Write a file with ``torch.save``, whole or not at all, with a checksum (seal) at its end.

    Args:
        content: Anything that ``torch.save`` can write.
        path: The file; folders are created.

    Raises:
        SaveError: The file cannot be written, for instance because the disk is full.  An
            earlier file at ``path`` is then intact.
    """
    path = Path(path)
    try:
        with whole_file(path) as temporary, open(temporary, 'wb+') as file:
            torch.save(content, file)
            put_seal(file)
    except (OSError, RuntimeError) as failure:  # torch's writer raises RuntimeError on a full disk
        state = 'the file that stood there is intact' if path.exists() else 'nothing was left there'
        raise SaveError(f'cannot save {path}: {why_unwritten(failure)}; {state}') from failure


def why_unwritten(failure: BaseException) -> str:
    """Return why a file could not be written: torch's own error hides the system's behind it."""
    error: BaseException | None = failure
    while error is not None:
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
        error = error.__cause__ or error.__context__
    text = (str(failure).splitlines() or [type(failure).__name__])[0]
    return f'{text} (is the disk full?)' if 'enforce fail' in text else text


def save_checkpoint(content: dict[str, Any], path: FilePath, kind: str) -> None:
    """Write ``{state_dict, meta, …}``, whole or not at all, with format, kind and digests.

    Args:
        content: ``{state_dict, meta, …}`` of tensors and plain data.
        path: The file; folders are created.
        kind: A key of :data:`KINDS`, as ``'step'``.

    Raises:
        SaveError: The file cannot be written; an earlier file at ``path`` is then intact.
        InvalidInputError: A value of ``content`` is neither a tensor nor plain data.
    """
    save_atomically(sealed(content, kind), path)


def read_checkpoint(path: FilePath, map_location: Any = 'cpu') -> dict[str, Any]:
    """Load a file of tensors with ``weights_only=True``, after its checksums were compared.

    A file of incseg holds a SHA-256 of all its bytes and digests of its content; what differs
    is refused.  A file that somebody saved again has the digests of its content only, a foreign
    one has none.

    Args:
        path: The file.
        map_location: The device of the tensors.

    Returns:
        The dict that the file holds: ``{state_dict, meta, …}`` in a file of incseg; any keys in a
        foreign one.

    Raises:
        MissingFileError: There is no such file.
        InvalidInputError: It is empty, cut short, damaged, of a newer format, or a pickle that
            would run code.
    """
    content, known = read_verified(path, map_location)
    if not isinstance(content, dict):
        raise InvalidInputError(f'checkpoint {path} holds a {type(content).__name__}, not a dict')
    check_digests(content, path, known)
    return content


def read_verified(path: FilePath, map_location: Any = 'cpu') -> tuple[Any, bool]:
    """Load whatever a file holds, once its seal or the sums of its records were verified.

    Returns:
        The content; and False for a zip file with a comment that incseg did not write, True
        for every other file.

    Raises:
        MissingFileError, InvalidInputError: The file is missing, empty, damaged or a pickle that
            would run code.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f'no checkpoint at {path}')
    if path.stat().st_size == 0:
        raise InvalidInputError(f'checkpoint {path} is empty')
    damaged = f'checkpoint {path} is damaged, cut short or no checkpoint'
    try:
        with open(path, 'rb') as file:
            known = check_seal(file)
            return _load(file, path, map_location), known
    except InvalidInputError as error:
        refused = str(error).startswith('checkpoint ')
        raise InvalidInputError(str(error) if refused else f'{damaged}: {error}') from error
    except OSError as error:
        raise InvalidInputError(f'{damaged}: {error.strerror or error}') from error


def _load(file: BinaryIO, path: Path, map_location: Any) -> Any:
    """Load tensors and plain data from an open file; whatever torch raises means damage."""
    file.seek(0)
    try:
        return torch.load(file, map_location=map_location, weights_only=True)
    except MemoryError:
        raise
    except pickle.UnpicklingError as error:
        if not is_pickle(path):
            raise InvalidInputError('it is no file of tensors') from error
        raise InvalidInputError(
            f'checkpoint {path} holds more than tensors and plain data; loading it could run '
            'code, so it is refused'
        ) from error
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        if 'PytorchStreamReader' in reason:
            reason = 'its archive is not complete'
        raise InvalidInputError(reason) from error


def is_pickle(path: Path) -> bool:
    """Return whether a file is complete enough to hold a pickle, in torch's zip or bare."""
    try:
        with open(path, 'rb') as file:
            return file.read(1) == b'\x80' or zipfile.is_zipfile(file)
    except zipfile.BadZipFile:
        return False


def format_of(content: dict[str, Any]) -> int:
    """Return the number of a file's format; 0 where it says none."""
    meta = content.get('meta')
    number = meta.get('format', 0) if isinstance(meta, dict) else 0
    return number if isinstance(number, int) and not isinstance(number, bool) else 0


def check_digests(content: dict[str, Any], path: FilePath, known: bool = True) -> None:
    """Compare a file's content with the digests in its ``meta``; a file of format 0 has none.

    Args:
        content: What was loaded.
        path: The file, for messages.
        known: The second result of :func:`read_verified`; False refuses a file with digests.

    Raises:
        InvalidInputError: It is of a newer format, or not what was saved.
    """
    number = format_of(content)
    if number > FORMAT:
        raise InvalidInputError(
            f'checkpoint {path} is of format {number}, expected at most {FORMAT}: '
            'a newer version of incseg wrote it'
        )
    if number < 1:
        return
    meta, state = content['meta'], content.get('state_dict')
    try:
        whole = known and _rest_digest(content) == meta.get('digest')
        same = whole and isinstance(state, dict) and tensors_digest(state) == meta.get('tensors')
    except (InvalidInputError, RecursionError, TypeError):
        whole = same = False
    if not same:
        what = 'its weights are' if whole else 'what it says of them is'
        raise InvalidInputError(
            f'checkpoint {path} is damaged or was changed: {what} not what was saved'
        )


def kind_of(content: dict[str, Any]) -> str | None:
    """Return a file's kind, a key of :data:`KINDS`; None for a file that incseg did not write."""
    meta = content.get('meta')
    if not isinstance(meta, dict):
        return None
    if 'kind' in meta:
        return str(meta['kind'])
    if {'optimizer', 'message_hub'} <= {*content}:
        return 'resume'
    if 'incseg_version' in meta:
        return 'seam' if meta.get('method') == 'seam' else 'step'
    return 'affinity' if {'loss', 'crop_size'} <= {*meta} else None


def check_kind(content: dict[str, Any], path: FilePath, kinds: Collection[str]) -> None:
    """Refuse a file of another kind; a file without a kind passes.

    Args:
        content: What was loaded.
        path: The file, for the message.
        kinds: The allowed keys of :data:`KINDS`; the message names the first.

    Raises:
        InvalidInputError: Saying the file's kind, and the one that is expected.
    """
    kind = kind_of(content)
    if kind is not None and kind not in kinds:
        wanted = next(iter(kinds))
        raise InvalidInputError(
            f'checkpoint {path} is {KINDS.get(kind, f"of kind {kind!r}")}, expected {KINDS[wanted]}'
        )
