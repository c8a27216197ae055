"""The files of a data set's images and label maps: whether they are sound and fit each other."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from incseg.datasets.folder_files import files_below
from incseg.datasets.list_files import ending
from incseg.utils.pictures.headers import read_header
from incseg.utils.pictures.rule import PLAIN, PictureRule
from incseg.utils.pictures.sizes import label_map_sizes, picture_orientations, picture_sizes
from incseg.utils.progress import Progress
from incseg.utils.rules import expected

#: from so many files on, a line tells of the progress
MANY = 1000
Entry = Mapping[str, Any]
#: the first picture of a data set of which nobody knows whether its label map is turned, told
doubtful: list[str] = []


def check_sizes(
    entries: Sequence[Entry], read_labels: Callable[[str], np.ndarray], rule: PictureRule = PLAIN
) -> None:
    """Refuse a file that is no picture or cut short, and a label map of another size.

    Heads and ends of the files are read, once; see :mod:`incseg.utils.pictures.sizes`.

    Args:
        entries: Dicts of ``img_path`` and ``seg_map_path``, as a data set lists its images; an
            entry without ``img_path`` has no files, one with ``has_mask=False`` no label map.
        read_labels: Reads a label map, for files that are no PNG.
        rule: How the images are read.

    Raises:
        MissingFileError: A file is missing.
        InvalidInputError: Naming the file.

    Warns:
        UserWarning: See :func:`warn_of_turn`.
    """
    entries = [entry for entry in entries if 'img_path' in entry]
    masked = [e for e in entries if 'seg_map_path' in e and e.get('has_mask', True)]
    total = len(entries) + len(masked)
    with closing(Progress(total, 'sizes of images and masks', total >= MANY)) as bar:
        images = [entry['img_path'] for entry in entries]
        sizes = dict(zip(images, picture_sizes(images, rule, bar.update), strict=True))
        labels = [entry['seg_map_path'] for entry in masked]
        of_labels = label_map_sizes(labels, read_labels, bar.update)
    for entry, size in zip(masked, of_labels, strict=True):
        image = entry['img_path']
        if size != sizes[image]:
            header = read_header(image)
            orientation = 1 if header is None else header.orientation
            check_size(size, entry['seg_map_path'], sizes[image], image, orientation, rule)
    if rule.exif == 'apply':
        paths = [entry['img_path'] for entry in masked]
        for path, orientation in zip(paths, picture_orientations(paths), strict=True):
            if fits_either_way(orientation, sizes[path]):
                warn_of_turn(path, orientation)
                break


def fits_either_way(orientation: int, size: tuple[int, ...]) -> bool:
    """Return whether a picture has the same size as stored and as its EXIF orientation turns it.

    Args:
        orientation: 1 (as it is) to 8.
        size: Height and width.
    """
    return orientation != 1 and (orientation < 5 or size[0] == size[1])


def warn_of_turn(image: str, orientation: int) -> None:
    """Warn of a picture that is turned although its size does not show that its label map fits.

    Args:
        image: The picture's name.
        orientation: Its EXIF orientation.
    """
    doubtful.append(image)
    warnings.warn(
        f'image {image!r} is turned as its EXIF orientation {orientation} says, and so is every '
        'picture of its data set; their sizes do not tell whether the label maps were drawn on the '
        "turned pictures; if not, set the data set's exif='ignore'",
        stacklevel=2,
    )


def check_size(
    size: tuple[int, ...],
    label_map: str,
    image_size: tuple[int, ...],
    image: str,
    orientation: int = 1,
    rule: PictureRule = PLAIN,
) -> None:
    """Refuse a label map of another size than its image.

    Args:
        size: Height and width of the label map.
        label_map: Its name, for the error.
        image_size: Height and width of the image, as it is loaded.
        image: The name of the image.
        orientation: The image's in its EXIF data, 1 to 8.
        rule: How the image was read.

    Raises:
        InvalidInputError: Naming both, and the orientation if another turn would make them fit.
    """
    if tuple(size) != tuple(image_size):
        raise expected(
            f'size of label map {label_map!r}',
            tuple(size),
            f'{tuple(image_size)} (height, width), as its image {image!r}'
            + (_advice(orientation, rule) if tuple(size) == tuple(image_size)[::-1] else ''),
        )


def _advice(orientation: int, rule: PictureRule) -> str:
    """Return the end of an error about sizes that a quarter turn of the image makes fit."""
    if orientation < 5:
        return ''
    if rule.exif == 'apply':
        return (
            f'; it was turned as its EXIF orientation {orientation} says, but the label map fits '
            "the picture as it is stored: set the data set's exif='ignore'"
        )
    return (
        f"; the data set's exif='ignore' left it as it is stored, but the label map fits the "
        f"picture as its EXIF orientation {orientation} turns it: set exif='apply'"
    )


def label_maps_without_image(
    entries: Sequence[Entry],
    folders: Sequence[str],
    suffix: str,
    root: str = '',
    follow: bool = False,
) -> list[str]:
    """Return the label maps in some folders that no image of a data set has, sorted.

    Args:
        entries: The images, see :func:`check_sizes`.
        folders: The folders of label maps.
        suffix: Ending of label files; capitals do not matter.
        root, follow: See :func:`incseg.datasets.folder_files.files_below`.
    """
    used = {entry.get('seg_map_path') for entry in entries}
    there = {
        str(Path(folder) / name)
        for folder in folders
        for name in files_below(Path(folder), root, follow)
        if ending(name, [suffix])
    }
    return sorted(there - used)
