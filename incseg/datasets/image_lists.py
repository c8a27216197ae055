"""The images of a data set's folders and lists, each with its label map.

Every error names the missing path and ends with ``how_to_get``, a sentence
about the source of the data, or with what finds the file.
"""

import functools
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mmengine.logging import print_log

from incseg.datasets.folder_files import FolderFiles, files_below
from incseg.datasets.list_files import PICTURES, Entry, ending
from incseg.errors import InvalidInputError, MissingFileError
from incseg.utils.rules import similar


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
        InvalidInputError: A link leads out of the folder; or two images have names that differ
            in their endings only.
    """
    if not Path(folder).is_dir():
        fault = 'is a file' if Path(folder).is_file() else 'does not exist'
        raise MissingFileError(
            f'image folder {folder!r} {fault}; {_folders_beside(folder, root)}{how_to_get}'
        )
    names = files_below(Path(folder), root, follow)
    ids = [name[: -len(suffix)] for name in names if (suffix := ending(name, suffixes))]
    twice = next((name for name, count in Counter(ids).items() if count > 1), None)
    if twice is not None:
        both = sorted(
            name for name in names if (end := ending(name, suffixes)) and name[: -len(end)] == twice
        )
        raise InvalidInputError(
            f'image folder {folder!r} has {" and ".join(map(repr, both))}, which would share one '
            'label map, expected one picture of a name; remove or rename the others'
        )
    if not ids:
        others = sorted(name for name in names if ending(name, PICTURES))
        hint = f'it has {others[0]!r}: set img_suffix' if others else how_to_get
        raise MissingFileError(
            f'image folder {folder!r} has no {" or ".join(suffixes)} file; {hint}'
        )
    return sorted(ids)


def _folders_beside(folder: str, root: str) -> str:
    """Return the hint at the folders beside one that is missing below a root, or ''."""
    wanted = Path(folder)
    inside = bool(root) and Path(root) in wanted.parents and wanted.parent.is_dir()
    there = sorted(each.name for each in wanted.parent.iterdir() if each.is_dir()) if inside else []
    there = [name for name in there if not name.startswith('.')]
    if not there:
        return ''
    if close := similar(wanted.name, there):
        return f'did you mean {close!r} (set split or data_prefix)? If not, '
    return f'the folders beside it are {", ".join(map(repr, there[:8]))}; '


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
    listed: Mapping[str, Entry] | None = None,
    tell: Callable[[str, bool], object] = lambda line, complete: None,
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
        listed: The entries of the list that the ids come from, by id; their files go before
            those of equal names.  None: the ids are those of all images of the folder.
        tell: Called with a line that counts pictures, masks and pairs and names what is left
            over, and with whether nothing is.

    Returns:
        Dicts of ``image_id``, ``img_path`` and ``seg_map_path``, in the order of ``ids``;
        an image without a label map also has ``has_mask=False``.

    Raises:
        MissingFileError: Files are missing; the message has the first one and their number.
        InvalidInputError: A link leads out of a folder.
    """
    if not label_folder.is_dir() and not partly_labelled and not listed:
        beside = _folders_beside(str(label_folder), root)
        raise MissingFileError(
            f"folder of label maps '{label_folder}' does not exist; {beside}set "
            f'data_prefix.seg_map_path, or {how_to_get}'
        )
    images = FolderFiles(image_folder, image_suffixes, root, follow)
    labels = FolderFiles(label_folder, [label_suffix], root, follow)
    pairs: list[dict] = []
    missing_images, missing_labels, without_mask = [], [], []
    for image_id in ids:
        entry = (listed or {}).get(image_id, Entry(image_id))
        image, there = images.find(image_id, entry.image)
        label, labelled = labels.find(image_id, entry.mask)
        pairs.append(dict(image_id=image_id, img_path=image, seg_map_path=label))
        if not there:
            missing_images.append((image_id, image, entry.image))
        if not labelled:
            without_mask.append(image_id)
            pairs[-1]['has_mask'] = False
            missing_labels += [] if partly_labelled else [(image_id, label, entry.mask)]
    line = counts(pairs, images, labels, without_mask, listed is None)
    for kind, missing, files, key in (
        ('image', missing_images, images, 'img_suffix'),
        ('label file', missing_labels, labels, 'seg_map_suffix'),
    ):
        if missing:
            image_id, path, named = missing[0]
            hint = files.similar(image_id, key, ids) if named is None else files.other(image_id)
            if not hint or named is not None:
                advice = how_to_get if listed is None else _advice_on_list(named, how_to_get)
                hint = f'{hint}; {advice}' if hint else advice
            raise MissingFileError(
                f"{kind} '{path}' does not exist ({len(missing)} of {len(ids)} are missing); "
                f'{line[0]}; {hint}'
            )
    tell(*line)
    return pairs


def _advice_on_list(named: str | None, how_to_get: str) -> str:
    """Return the end of an error about a file that is missing although a list has its image.

    Args:
        named: The file, if the list has its path; None if the list has the id only.
        how_to_get: See :func:`pair_files`.
    """
    if named is None:
        return f'the list of images names it; {how_to_get}'
    parts = ', with / between their parts' if '\\' in named else ''
    return (
        'the list of images names it: paths begin below the folder of images (of masks), or '
        f'below data_root{parts}'
    )


def counts(
    pairs: Sequence[dict],
    images: FolderFiles,
    labels: FolderFiles,
    without_mask: Sequence[str],
    all_of_folder: bool,
) -> tuple[str, bool]:
    """Return one line about a split's files, and whether no file is left over.

    Args:
        pairs: The entries of the images.
        images, labels: The folders.
        without_mask: Ids of images without a label map.
        all_of_folder: Whether every image of the folder is used; else files that no list
            names are not left over.
    """
    ids = {pair['image_id'] for pair in pairs}
    alone = sorted(labels.by_id.keys() - ids) if all_of_folder else []
    masks = len(pairs) - len(without_mask) + len(alone)
    beside = {*labels.by_id.values()} if labels.folder == images.folder else set()
    other = sorted(
        name
        for name in images.names - beside
        if all_of_folder and not ending(name, images.suffixes) and ending(name, PICTURES)
    )
    line = f'{len(pairs)} pictures, {masks} masks: {len(pairs) - len(without_mask)} pairs'
    for words, names in (
        ('without mask', without_mask),
        ('masks without picture', alone),
        ('not in img_suffix', other),
    ):
        if names:
            line += f'; {words}: {", ".join(names[:3])}'
            line += f' and {len(names) - 3} more' if len(names) > 3 else ''
    return line, not (without_mask or alone or other)


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


@functools.cache
def tell_once(name: str, line: str, complete: bool) -> None:
    """Log the counts of a split's files; a warning if something is left over.

    Each line is logged once in a process: a run builds a data set several times.
    """
    level = logging.INFO if complete else logging.WARNING
    print_log(f'{name}: {line}', logger='current', level=level)
