"""The files below a folder, by the ids of images.

The configuration decides which folders are read, and these may be links to
anywhere.  What lies in the folders does not decide: an id of a list, or a link,
that leads out of them is refused.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from unicodedata import normalize

from incseg.datasets.list_files import PICTURES, ending
from incseg.utils.rules import expected

#: folders below a data set's folder; only links that cross each other make more
MOST_FOLDERS = 100_000


class FolderFiles:
    """The files of one folder, by the ids of images.

    Args:
        folder: The folder.
        suffixes: Endings of the files that have an id; capitals do not matter.
        root, follow: See :func:`files_below`.
    """

    def __init__(self, folder: Path, suffixes: Sequence[str], root: str, follow: bool) -> None:
        self.folder, self.suffixes, self.root, self.follow = folder, suffixes, root, follow
        self.names = files_below(folder, root, follow)
        self.by_id = file_of_id(self.names, suffixes)
        #: by ids whose accents are composed: some systems write them as letters of their own
        self._composed = {normalize('NFC', each): file for each, file in self.by_id.items()}

    def find(self, image_id: str, named: str | None) -> tuple[str, bool]:
        """Return the file of an id, or that which a list names, and whether it is there."""
        file = self.by_id.get(image_id) or self._composed.get(normalize('NFC', image_id))
        path = str(self.folder / (file or image_id + self.suffixes[0]))
        if named is None or named.lower() == path.lower():
            return path, file is not None
        if not os.path.isfile(named):
            return named, False
        if not self.follow:
            check_link(named, self.folder, self.root)
        return named, True

    def other(self, image_id: str) -> str:
        """Return the hint at the file that an id has beside the one that a list names, or ''."""
        file = self.by_id.get(image_id)
        return f'the folder has {file!r}: let the list name it, or ids alone' if file else ''

    def similar(self, image_id: str, key: str, ids: Iterable[str]) -> str:
        """Return the advice for an id without a file: the argument that finds it, or ''.

        Args:
            image_id: The id.
            key: Name of the argument that has the ending.
            ids: All ids: a file of another one is not meant.
        """
        others = {self.by_id[each] for each in ids if each in self.by_id}
        for name in sorted(self.names - others):
            rest, low = name[len(image_id) :], name.lower()
            if not (low.startswith(image_id.lower()) and rest[:1] in ('.', '_', '-')):
                continue
            if (
                ending(rest, self.suffixes) or ''
            ).lower() == rest.lower():  # only capitals of the id differ
                return f'the folder has {name!r}: give both files of a pair equal names'
            if key == 'seg_map_suffix' and low.endswith(('.jpg', '.jpeg')):
                return (
                    f'the folder has {name!r}, a JPEG, whose compression alters ids: save label '
                    'maps as PNG, or name another folder in data_prefix.seg_map_path'
                )
            return f'the folder has {name!r}: set {key}={rest!r}'
        for name in sorted(self.names - others):
            stem = (name[: -len(suffix)] if (suffix := ending(name, PICTURES)) else name).lower()
            before = name[: len(stem) - len(image_id)]
            if stem.endswith(image_id.lower()) and before[-1:] in ('_', '-', '.'):
                return (
                    f'the folder has {name!r}, whose name begins with {before!r}: give both files '
                    'of a pair equal names, or list images with their masks in ann_file'
                )
            rest = image_id[len(stem) :]
            if stem and image_id.lower().startswith(stem) and rest[:1] in ('_', '-', '.'):
                return (
                    f'the folder has {name!r}: if {rest!r} is no part of the name, begin '
                    f'img_suffix with it (as {rest + ".jpg"!r})'
                )
        return ''


def file_of_id(names: Iterable[str], suffixes: Sequence[str]) -> dict[str, str]:
    """Return the file of each id; where an id has several, an earlier suffix counts.

    Args:
        names: Files, as :func:`files_below` returns them.
        suffixes: Endings; capitals do not matter.
    """
    found: dict[str, tuple[int, str]] = {}
    for name in sorted(names):
        suffix = ending(name, suffixes)
        if suffix is not None:
            image_id, rank = name[: -len(suffix)], suffixes.index(suffix)
            found[image_id] = min(found.get(image_id, (rank, name)), (rank, name))
    return {image_id: name for image_id, (_, name) in found.items()}


def files_below(folder: Path, root: str = '', follow: bool = False) -> set[str]:
    """Return the paths of all files below ``folder``, relative to it, with slashes.

    A link to a folder that it lies in is not followed, else the way had no end.  Files that
    macOS puts beside others (``._name``) are left out: they hold no picture.

    Args:
        folder: The folder, which may be a link; empty if it does not exist.
        root: A folder around it, into which links may lead too; '' is none.
        follow: Whether links may lead to anywhere.

    Raises:
        InvalidInputError: A link below the folder leads out of it; or links cross each
            other so that there are too many folders.
    """
    paths: set[str] = set()
    waiting: list[tuple[str, str, tuple]] = [('', os.fspath(folder), (_place(folder),))]
    for _ in range(MOST_FOLDERS):
        if not waiting:
            return paths
        prefix, parent, above = waiting.pop()
        try:
            entries = list(os.scandir(parent))
        except OSError:  # none there, or not for us: its files are then missing by name
            continue
        for entry in entries:
            if entry.name.startswith('._'):
                continue
            if entry.name.startswith('.') and entry.is_dir():  # such as .ipynb_checkpoints
                continue
            if entry.is_symlink() and not follow:
                check_link(entry.path, folder, root)
            if not os.path.isdir(entry.path) if entry.is_symlink() else not entry.is_dir():
                paths.add(prefix + entry.name)
            elif (place := _place(entry.path)) not in above:
                waiting.append((f'{prefix}{entry.name}/', entry.path, (*above, place)))
    raise expected(
        f"number of folders below '{folder}'", f'above {MOST_FOLDERS}', 'no links that cross'
    )


def check_link(path: str | Path, *folders: str | Path) -> None:
    """Refuse a link that leads out of the folders.

    Args:
        path: The link.
        folders: The folders, which may be links themselves; '' is none.

    Raises:
        InvalidInputError: Naming the link and its target.
    """
    target = os.path.join(os.path.realpath(path), '')
    inside = tuple(os.path.join(os.path.realpath(place), '') for place in folders if place)
    if not target.startswith(inside):
        raise expected(
            f"link '{path}'",
            target[:-1],
            "a file or folder of the data set; the set's argument follow_links=True allows links "
            'to anywhere',
        )


def _place(path: str | Path) -> tuple[int, int]:
    """Return what tells a folder from every other; (0, 0) if there is none."""
    try:
        state = os.stat(path)
    except OSError:
        return 0, 0
    return state.st_dev, state.st_ino
