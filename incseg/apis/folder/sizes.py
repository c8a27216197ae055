"""The sizes of a folder's images and masks, and whether they fit each other."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from incseg.apis.folder.report import FolderReport
from incseg.datasets.folders.mask_values import of_each
from incseg.datasets.label_maps.mask_file import mask_pixels
from incseg.datasets.picture_files import check_size
from incseg.errors import InvalidInputError
from incseg.utils.pictures import read_picture
from incseg.utils.pictures.headers import read_header
from incseg.utils.pictures.rule import PictureRule
from incseg.utils.pictures.sizes import size_at_a_glance
from incseg.utils.progress import Progress

#: from so many files on, a line tells of the progress
MANY = 200


def check_sizes(report: FolderReport, entries: Sequence[Mapping[str, Any]]) -> None:
    """Count the sizes of the images; refuse masks of another size, and broken pictures.

    Masks that fit all images of another size as these are stored, not as EXIF turns them, set
    ``exif`` of the report.

    Raises:
        InvalidInputError: A file cannot be read, or a mask has another size than its image.
    """

    def size_of(path: str, turned: bool = True) -> tuple[int, int]:
        rule = PictureRule('apply' if turned else 'ignore')
        height, width = size_at_a_glance(path, turned, True) or read_picture(path, rule).shape[:2]
        return height, width

    images = [entry['img_path'] for entry in entries]
    with closing(Progress(len(images), 'sizes of images', len(images) >= MANY)) as bar:

        def counted(path: str) -> tuple[int, int]:
            bar.update(1)
            return size_of(path)

        sizes = of_each(images, counted, 'images')
    report.sizes = Counter(sizes)
    pairs = [(e, size) for e, size in zip(entries, sizes, strict=True) if e.get('has_mask', True)]
    of_masks = of_each([e['seg_map_path'] for e, _ in pairs], _mask_size, 'masks')
    wrong = [
        (entry, size, own)
        for (entry, size), own in zip(pairs, of_masks, strict=True)
        if own != size
    ]
    if not wrong:
        return
    if all(size_of(entry['img_path'], False) == own for entry, _, own in wrong):
        report.exif = 'ignore'
        report.notes.append(
            f"{len(wrong)} masks fit their images only as they are stored: exif='ignore'"
        )
        return
    entry, size, own = wrong[0]
    header = read_header(entry['img_path'])
    orientation = 1 if header is None else header.orientation
    try:
        check_size(own, entry['seg_map_path'], size, entry['img_path'], orientation)
    except InvalidInputError as error:
        count = f' ({len(wrong)} masks of {len(pairs)} have another size)' if wrong[1:] else ''
        raise InvalidInputError(f'{error}{count}') from None


def _mask_size(path: str) -> tuple[int, int]:
    glance = size_at_a_glance(path, False)
    if glance is not None:
        return glance
    height, width = mask_pixels(path).shape[:2]
    return height, width
