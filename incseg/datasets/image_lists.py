"""Lists of a data set's images, and the files of each image.

Every error names the missing path and ends with ``how_to_get``, a sentence
about the source of the data.

The configuration decides which folders are read, and these may be links to
anywhere.  What lies in the folders does not decide: an id of a list, or a link,
that leads out of them is refused.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from incseg.errors import InvalidInputError, MissingFileError
from incseg.utils.rules import expected

#: folders below a data set's folder; only links that cross each other make more
MOST_FOLDERS = 100_000
#: how a binary file or UTF-16 begins, or what it holds; other bytes may be names of files
_NO_TEXT = (b'\xff\xfe', b'\xfe\xff')


def at_split(path: str, split: str) -> str:
    """Replace ``{split}`` in a path by the split's name; other braces stay."""
    return path.replace('{split}', split)


def check_root(data_root: str, how_to_get: str) -> None:
    """Refuse a data root that is missing, a file, or empty.

    Raises:
        MissingFileError: It is missing or empty.
        InvalidInputError: It is not a folder.
    """
    root = Path(data_root)
    if not root.exists():
        raise MissingFileError(f'data_root {data_root!r} does not exist; {how_to_get}')
    if not root.is_dir():
        raise InvalidInputError(f'data_root {data_root!r} is no folder; {how_to_get}')
    if not any(root.iterdir()):
        raise MissingFileError(f'data_root {data_root!r} is empty; {how_to_get}')


def read_id_list(path: str, how_to_get: str) -> list[str]:
    """Return the ids of a list file, one per line; blank lines are skipped.

    Bytes that are not UTF-8 become the characters by which Python names such files.

    Raises:
        MissingFileError: There is no such file.
        InvalidInputError: The file cannot be read or is empty, or an id leads out of
            the data set's folders.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise MissingFileError(f'image list {path!r} does not exist; {how_to_get}') from error
    except OSError as error:
        raise InvalidInputError(
            f'image list {path!r} cannot be read as text ({error}); {how_to_get}'
        ) from error
    if content.startswith(_NO_TEXT) or b'\0' in content:
        raise InvalidInputError(
            f'image list {path!r} cannot be read as text (it is binary or UTF-16); {how_to_get}'
        )
    lines = content.decode('utf-8', 'surrogateescape').splitlines()
    ids = [line.strip() for line in lines if line.strip()]
    if not ids:
        raise InvalidInputError(f'image list {path!r} is empty, expected one image id per line')
    for image_id in ids:
        check_id(image_id, f'image list {path!r}')
    return ids


def check_id(image_id: str, where: str) -> None:
    """Refuse an image id that leads out of the folders of its data set.

    Args:
        image_id: The id, which becomes part of a path.
        where: The file that names it, for errors.

    Raises:
        InvalidInputError: It is an absolute path, or one part of it is ``..``; or it has
            a NUL, which no name of a file has.
    """
    if image_id.startswith('/') or '..' in image_id.split('/') or '\0' in image_id:
        raise expected(f'an image id of {where}', image_id, 'a path below the image folder')


def ids_in_folder(
    folder: str, suffixes: Sequence[str], how_to_get: str, root: str = '', follow: bool = False
) -> list[str]:
    """Return the ids of all images in ``folder`` and its subfolders, sorted.

    Args:
        folder: The folder.
        suffixes: Endings of image files; capitals do not matter.
        how_to_get: Ends an error.
        root, follow: See :func:`files_below`.

    Raises:
        MissingFileError: There is no such folder, or it has no image.
        InvalidInputError: A link leads out of the folder.
    """
    if not Path(folder).is_dir():
        fault = 'is a file' if Path(folder).is_file() else 'does not exist'
        raise MissingFileError(f'image folder {folder!r} {fault}; {how_to_get}')
    names = files_below(Path(folder), root, follow)
    ids = [name[: -len(suffix)] for name in names if (suffix := ending(name, suffixes))]
    if not ids:
        raise MissingFileError(
            f'image folder {folder!r} has no {" or ".join(suffixes)} file; {how_to_get}'
        )
    return sorted(ids)


def ending(name: str, suffixes: Sequence[str]) -> str | None:
    """Return the first suffix that a file's name ends with; capitals do not matter."""
    low = name.lower()
    return next((suffix for suffix in suffixes if low.endswith(suffix.lower())), None)


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


def pair_files(
    ids: Sequence[str],
    image_folder: Path,
    image_suffixes: Sequence[str],
    label_folder: Path,
    label_suffix: str,
    how_to_get: str,
    partly_labelled: bool = False,
    root: str = '',
    follow: bool = False,
) -> list[dict]:
    """Find the image and the label map of each id.

    The folders are listed once, which is faster than a look-up for each file.

    Args:
        ids: Image ids: paths below the folders, without ending.
        image_folder, label_folder: The folders.
        image_suffixes, label_suffix: Endings of the files; capitals do not matter.
        how_to_get: Ends an error.
        partly_labelled: Whether images may lack their label map.
        root, follow: See :func:`files_below`.

    Returns:
        Dicts of ``image_id``, ``img_path`` and ``seg_map_path``, in the order of ``ids``;
        an image without a label map also has ``has_mask=False``.

    Raises:
        MissingFileError: Files are missing; the message has the first one and their number.
        InvalidInputError: A link leads out of a folder.
    """
    images = file_of_id(files_below(image_folder, root, follow), image_suffixes)
    labels = file_of_id(files_below(label_folder, root, follow), [label_suffix])
    pairs: list[dict] = []
    missing_images, missing_labels = [], []
    for image_id in ids:
        image = images.get(image_id, image_id + image_suffixes[0])
        label = labels.get(image_id, image_id + label_suffix)
        if image_id not in images:
            missing_images.append(image_folder / image)
        if image_id not in labels and not partly_labelled:
            missing_labels.append(label_folder / label)
        pairs.append(
            dict(
                image_id=image_id,
                img_path=str(image_folder / image),
                seg_map_path=str(label_folder / label),
            )
        )
        if partly_labelled and image_id not in labels:
            pairs[-1]['has_mask'] = False
    for kind, missing in (('image', missing_images), ('label file', missing_labels)):
        if missing:
            raise MissingFileError(
                f"{kind} '{missing[0]}' does not exist ({len(missing)} of {len(ids)} are "
                f'missing); {how_to_get}'
            )
    return pairs


def check_unique(ids: Sequence[str], splits: Sequence[str]) -> None:
    """Refuse an image that is listed twice.

    Raises:
        InvalidInputError: Naming the image and the splits.
    """
    seen: set[str] = set()
    for image_id in ids:
        if image_id in seen:
            raise InvalidInputError(
                f'image {image_id!r} is listed twice in split {"+".join(splits)}, expected once'
            )
        seen.add(image_id)


def files_below(folder: Path, root: str = '', follow: bool = False) -> set[str]:
    """Return the paths of all files below ``folder``, relative to it, with slashes.

    A link to a folder that it lies in is not followed, else the way had no end.

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
