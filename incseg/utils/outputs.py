"""Files that a user names for output: no input is written over, and nothing that was there."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from incseg.errors import InvalidInputError

FilePath: TypeAlias = str | os.PathLike[str]


def check_outputs(
    outputs: Iterable[FilePath],
    inputs: Iterable[FilePath] = (),
    *,
    force: bool = False,
    own: bool = False,
) -> None:
    """Refuse outputs that would destroy something; call it before anything is written.

    Two names are one file if they lead to one place on the disk, by links of
    any kind.

    Args:
        outputs: Every file that will be written.
        inputs: Files that are read, or that were; some may be missing.
        force: Whether files that are there already may be written over.
        own: Whether such files are earlier output of the same work, which is
            written anew as a matter of course.

    Raises:
        InvalidInputError: An output is an input, whatever ``force`` says; or it
            is there already and neither ``force`` nor ``own`` is true.
    """
    paths = [Path(path) for path in outputs]
    there = [path for path in paths if os.path.lexists(path)]
    if not there:
        return
    read = {place: path for path in inputs for place in places(path)}
    for path in there:
        taken = next((read[place] for place in places(path) if place in read), None)
        if taken is not None:
            same = '' if os.path.abspath(path) == os.path.abspath(taken) else f" '{taken}'"
            raise InvalidInputError(
                f"output '{path}' is the input{same}: nothing was written; name another place"
            )
    if not (force or own):
        count = f' ({len(there)} of {len(paths)} are there)' if len(paths) > 1 else ''
        raise InvalidInputError(
            f"output '{there[0]}' exists already{count}: nothing was written; name another place, "
            'or write over it with force=True (--force)'
        )


def places(path: FilePath) -> list[tuple[int, int]]:
    """Return the identities of a file: device and inode of its target, and of a link itself.

    Args:
        path: The file; where there is none, the list is empty.
    """
    found = []
    for follow in (True, False):
        try:
            state = os.stat(path, follow_symlinks=follow)
        except (OSError, ValueError):
            continue
        found.append((state.st_dev, state.st_ino))
    return found


def free_names(names: Iterable[str]) -> list[str]:
    """Return the names made different: a repeated one gets the number of its place at its end.

    Args:
        names: Names of files without ending, as ``a``, ``b``, ``a``: the last
            becomes ``a_000002``.
    """
    taken: set[str] = set()
    free = []
    for number, name in enumerate(names):
        while name in taken:
            name = f'{name}_{number:06d}'
        taken.add(name)
        free.append(name)
    return free
