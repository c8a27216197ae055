"""Lists of a data set's images, and the files of each image.

Every error names the missing path and ends with ``how_to_get``, a sentence
about the source of the data.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from incseg.errors import InvalidInputError, MissingFileError


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

    Raises:
        MissingFileError: There is no such file.
        InvalidInputError: The file cannot be read or is empty.
    """
    try:
        lines = Path(path).read_text(encoding='utf-8').splitlines()
    except FileNotFoundError as error:
        raise MissingFileError(f'image list {path!r} does not exist; {how_to_get}') from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(
            f'image list {path!r} cannot be read as text ({error}); {how_to_get}'
        ) from error
    ids = [line.strip() for line in lines if line.strip()]
    if not ids:
        raise InvalidInputError(f'image list {path!r} is empty, expected one image id per line')
    return ids


def ids_in_folder(folder: str, suffixes: Sequence[str], how_to_get: str) -> list[str]:
    """Return the ids of all images in ``folder`` and its subfolders, sorted.

    Raises:
        MissingFileError: There is no such folder, or it has no image.
    """
    if not Path(folder).is_dir():
        fault = 'is a file' if Path(folder).is_file() else 'does not exist'
        raise MissingFileError(f'image folder {folder!r} {fault}; {how_to_get}')
    ids = []
    for name in _files_below(Path(folder)):
        suffix = next((s for s in suffixes if name.endswith(s)), None)
        if suffix is not None:
            ids.append(name[: -len(suffix)])
    if not ids:
        raise MissingFileError(
            f'image folder {folder!r} has no {" or ".join(suffixes)} file; {how_to_get}'
        )
    return sorted(ids)


def pair_files(
    ids: Sequence[str],
    image_folder: Path,
    image_suffixes: Sequence[str],
    label_folder: Path,
    label_suffix: str,
    how_to_get: str,
    partly_labelled: bool = False,
) -> list[dict]:
    """Find the image and the label map of each id.

    The folders are listed once, which is faster than a look-up for each file.

    Args:
        ids: Image ids: paths below the folders, without ending.
        image_folder, label_folder: The folders.
        image_suffixes, label_suffix: Endings of the files.
        how_to_get: Ends an error.
        partly_labelled: Whether images may lack their label map.

    Returns:
        Dicts of ``image_id``, ``img_path`` and ``seg_map_path``, in the order of ``ids``;
        an image without a label map also has ``has_mask=False``.

    Raises:
        MissingFileError: Files are missing; the message has the first one and their number.
    """
    images = _files_below(image_folder)
    labels = _files_below(label_folder)
    pairs: list[dict] = []
    missing_images, missing_labels = [], []
    for image_id in ids:
        suffix = next((s for s in image_suffixes if image_id + s in images), None)
        label = image_id + label_suffix
        if suffix is None:
            missing_images.append(image_folder / (image_id + image_suffixes[0]))
        if label not in labels and not partly_labelled:
            missing_labels.append(label_folder / label)
        pairs.append(
            dict(
                image_id=image_id,
                img_path=str(image_folder / f'{image_id}{suffix}'),
                seg_map_path=str(label_folder / label),
            )
        )
        if partly_labelled and label not in labels:
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


def _files_below(folder: Path) -> set[str]:
    """Return the paths of all files below ``folder``, relative to it, with slashes."""
    paths: set[str] = set()
    for parent, _, names in os.walk(folder, followlinks=True):
        prefix = '' if Path(parent) == folder else Path(parent).relative_to(folder).as_posix() + '/'
        paths.update(prefix + name for name in names)
    return paths
