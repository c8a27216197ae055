"""Look at a folder of images and masks: every file is read once."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import MMLogger
from PIL import Image

from incseg.apis.folder.classes import FolderClass, name_values, of_categories
from incseg.apis.folder.report import FolderReport, some
from incseg.apis.folder.sizes import MANY, check_sizes
from incseg.datasets import FolderDataset
from incseg.datasets.coco_json import read_coco_json
from incseg.datasets.folders.class_table import find_class_table, read_class_table
from incseg.datasets.folders.held_out import held_out
from incseg.datasets.folders.layout import Layout, find_layout
from incseg.datasets.folders.mask_values import totals, values_of_masks
from incseg.datasets.folders.names import TEST, TRAIN, VAL, of_kind
from incseg.datasets.image_lists import at_split
from incseg.errors import InvalidInputError, MissingFileError
from incseg.utils.file_digests import file_digests
from incseg.utils.progress import Progress

#: share of the images that is held out where a folder has no split for the test
SHARE = 0.2


def look_at(
    root: str | Path, images: str = 'auto', masks: str = 'auto', classes: str | Path | None = None
) -> FolderReport:
    """Look at a folder of images and masks; every mask is read once.

    Args:
        root: The folder.
        images, masks: See :class:`FolderDataset`.
        classes: File that names the classes, see :func:`read_class_table`; None looks for one
            in the folder.

    Raises:
        MissingFileError: The folder, its images or its masks are missing.
        InvalidInputError: Files cannot be read or do not fit each other, or the masks say no
            classes.
    """
    root = str(root)
    report = FolderReport(root, find_layout(root, images, masks))
    layout = report.layout
    report.table = find_class_table(root) if classes is None else Path(classes)
    options: dict[str, Any] = dict(images=layout.images, masks=layout.masks, ids=['class'])
    if layout.is_coco:
        report.classes = _categories(root, layout, classes)
        report.table = None
        options['ids'] = [each.name for each in report.classes if each.images]
    _choose_splits(report)
    splits = list(dict.fromkeys([report.train, report.test]))
    with _quiet():
        datasets = {
            split: FolderDataset(root, split, partly_labelled=True, **options) for split in splits
        }
    entries = {split: [*dataset.entries()] for split, dataset in datasets.items()}
    for dataset in datasets.values():
        report.without_image += dataset.unused_label_maps()
    everything = [entry for each in entries.values() for entry in each]
    masked = [entry for entry in everything if entry.get('has_mask', True)]
    report.without_mask = [e['img_path'] for e in everything if not e.get('has_mask', True)]
    if layout.is_coco:
        report.without_mask += _not_in_json(root, layout, splits, everything)
    report.counts = {
        split: sum(entry.get('has_mask', True) for entry in each) for split, each in entries.items()
    }
    if not masked:
        raise MissingFileError(f'no image of folder {root!r} has a mask: {layout.in_words()}')
    check_sizes(report, everything)
    values = _name_classes(report, [entry['seg_map_path'] for entry in masked])
    _divide(report, entries, dict(zip((e['img_path'] for e in masked), values, strict=True)))
    return report


def _choose_splits(report: FolderReport) -> None:
    splits = list(report.layout.splits)
    if report.layout.unlabelled:
        names = ', '.join(report.layout.unlabelled)
        report.notes.append(f'{names}: images without masks, not used')
    if not splits:
        report.held_out = SHARE
        return
    aug = 'train_aug' if (report.layout.masks or '').endswith('Aug') else ''
    train = aug if aug in splits else of_kind(splits, TRAIN)
    if train is None:
        raise InvalidInputError(
            f'folder {report.root!r} has the splits {", ".join(splits)} but none for training, '
            'expected one called train'
        )
    report.train = train
    test = of_kind(splits, (*VAL, *TEST))
    report.test = test or train
    report.held_out = None if test else SHARE


def _not_in_json(
    root: str, layout: Layout, splits: Sequence[str], entries: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Return the pictures that the JSON files do not name."""
    named = {entry['img_path'] for entry in entries}
    with _quiet():
        pictures = [
            entry['img_path']
            for split in splits
            for entry in FolderDataset(
                root, split, images=layout.images, masks=None, ids=['class']
            ).entries()
        ]
    return [path for path in pictures if path not in named]


def _categories(root: str, layout: Layout, classes: Any) -> list[FolderClass]:
    """Return the categories of the JSON files of all splits."""
    if classes is not None:
        raise InvalidInputError(
            f"--classes is '{classes}', expected no file: {layout.masks} names its categories"
        )
    found: dict[str, FolderClass] = {}
    for split in layout.splits or ('',):
        path = Path(root, at_split(str(layout.masks), split))
        content = read_coco_json(path, 'name another file with masks (--masks)')
        for each in of_categories(content):
            before = found.get(each.name, each)
            images = each.images + (before.images if each.name in found else 0)
            found[each.name] = FolderClass(each.name, each.value, 0, images)
    if not any(each.images for each in found.values()):
        raise InvalidInputError(f"'{layout.masks}' has no object of any category")
    return list(found.values())


def _name_classes(report: FolderReport, masks: Sequence[str]) -> list[set[str]]:
    """Count the values of the masks, and name them; return the names that each mask shows."""
    with closing(Progress(len(masks), 'values of masks', len(masks) >= MANY)) as bar:
        coloured = True if _palettes_of(report.table, masks[0]) else None
        values, report.coloured = values_of_masks(masks, coloured, bar.update)
    found = totals(values)
    if report.layout.is_coco:
        shown = [each for each in report.classes if each.images]
        places = {0: FolderClass('background', '-')} | dict(enumerate(shown, 1))
        by_name = {
            each.name: FolderClass(each.name, each.value, *found[i])
            for i, each in places.items()
            if i in found
        }
        rest = [by_name.get(each.name, each) for each in report.classes]
        report.classes = [*([by_name['background']] if 'background' in by_name else []), *rest]
        names = {i: each.name for i, each in places.items()}
        return [{names[int(str(i))] for i in each} for each in values]
    report.classes, notes = name_values(found, report.table, report.coloured)
    report.notes += notes
    by_value = {each.value: each.name for each in report.classes}
    return [{by_value[value] for value in each} for each in values]


def _palettes_of(table: Path | None, mask: str) -> bool:
    """Return whether a file names the colours of classes, and masks have a palette of them."""
    named = [] if table is None else read_class_table(table)
    if not any(each.colour for each in named):
        return False
    with suppress(OSError), Image.open(mask) as image:  # the reader says what is wrong with it
        return bool(image.mode == 'P')
    return False


def _divide(
    report: FolderReport,
    entries: Mapping[str, Sequence[Mapping[str, Any]]],
    shows: Mapping[str, set[str]],
) -> None:
    """Say how many images are learned from and tested on, and which classes they show."""
    train, test = entries[report.train], entries[report.test]
    if report.held_out is not None:
        out = held_out(file_digests([each['img_path'] for each in train]), report.held_out)
        if out.any():
            train, test = _part(train, ~out), _part(train, out)
        else:
            report.held_out = None
            report.notes.append(
                f'only {len(train)} images: none is held out, so the training images are the '
                'test, and scores do not show how the network does on new images'
            )
    train = [each for each in train if each['img_path'] in shows]
    test = [each for each in test if each['img_path'] in shows]
    report.train_images, report.test_images = len(train), len(test)
    names = [each.name for each in report.classes if each.learned]
    report.shown = [shows[each['img_path']] for each in train]
    shown = {name for each in report.shown for name in each}
    tested = {name for each in test for name in shows[each['img_path']]}
    report.learnable = [name for name in names if name in shown]
    report.tested = [name for name in names if name in tested]
    if only := [name for name in report.tested if name not in shown]:
        report.notes.append(f'{some(only)}: in test images only, not learned')
    if lacking := [name for name in report.learnable if name not in tested]:
        report.notes.append(f'{some(lacking)}: in no test image, so it gets no score')


def _part(entries: Sequence[Any], which: np.ndarray) -> list[Any]:
    return [entry for entry, chosen in zip(entries, which, strict=True) if chosen]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep mmengine's lines about files off the report, which says the same."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
