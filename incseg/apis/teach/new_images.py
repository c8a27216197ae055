"""The images of a new class: where they lie, what their masks hold, which are for the test."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incseg.apis.teach.mask_classes import MaskClasses, NamedClasses, classes_of_masks, shown
from incseg.datasets import FolderDataset
from incseg.datasets.folders.held_out import FEWEST, LEAST, MOST, held_out
from incseg.datasets.folders.layout import find_layout
from incseg.datasets.folders.names import TEST, VAL, of_kind
from incseg.errors import InvalidInputError, MissingFileError
from incseg.registry import DATASETS
from incseg.utils.file_digests import file_digests
from incseg.utils.rules import expected, is_number

#: share of the images that is held out for the test
SHARE = 0.2
#: splits that a folder of images may have inside
INSIDE = ('train', 'val')


@dataclass
class NewImages:
    """The images that teach a new class.

    Attributes:
        train: Config of the data set to learn from.
        test: Config of the test images; None for no test.
        number: How many images are learned from.
        tested: How many are tested on.
        told: Lines for the user.
    """

    train: dict[str, Any]
    test: dict[str, Any] | None
    number: int
    tested: int
    told: list[str]


def new_images(
    images: str | Path,
    masks: str | Path | None,
    named: NamedClasses,
    val: Any = 'auto',
    others: str = 'known',
) -> NewImages:
    """Look at the images of a new class and their masks; every mask is read once.

    Args:
        images: The folder of the images.
        masks: That of the masks, or a JSON file in COCO's form; None looks for masks in the folder
            of the images.
        named: The classes that the masks annotate.
        val: ``'auto'``, a share above 0 and below 1, a number of images, a folder with images and
            masks, or ``'none'``: what is tested on.
        others: See :func:`classes_of_masks`.

    Raises:
        MissingFileError: A folder, or the mask of an image, is missing.
        InvalidInputError: Files do not fit each other, or the masks do not show the classes.
    """
    root, layout = places(images, masks)
    part: dict[str, Any] = dict(type='FolderDataset', data_root=root, split='train', **layout)
    of_json = layout['masks'].endswith('.json')
    if of_json:
        meaning = of_categories(named, others)
        part['ids'] = meaning.ids
        test = own_test(part, built(part), val)
    else:
        unread = dict(part, ids=['class'], partly_labelled=True)
        test = own_test(unread, built(unread), val)
        paths = masks_of(built(unread), str(images))
        paths += [] if test is None else masks_of(built(test), str(val))
        meaning = classes_of_masks(named, paths, others)
    known: dict[str, Any] = dict(ids=meaning.ids)
    if len(meaning.ids) > len(meaning.classes):
        known |= dict(classes=list(meaning.classes), others=meaning.others)
    part = {**part, **known}
    if test is not None:
        test = {**{k: v for k, v in test.items() if k != 'partly_labelled'}, **known}
    dataset = built(part)
    train, test, tested, how = divided(part, test, dataset, val)
    number = len(dataset) - (tested if 'held_out' in train else 0)
    values = ', '.join(f'{shown(_tuple(v))} {name}' for name, v in meaning.ids.items())
    if of_json:
        values = 'objects of ' + ', '.join(named.names)
    told = [
        f'images   {len(dataset)} in {images}, with masks: {values}',
        f'split    {number} to learn from, {tested} to test on ({how})',
    ]
    return NewImages(train, test, number, tested, told)


def check_places(images: str | Path, masks: str | Path | None) -> None:
    """Refuse folders that are not there.

    Raises:
        MissingFileError: Naming the option.
        InvalidInputError: One is a file.
    """
    for option, path in (('--images', images), ('--masks', masks)):
        fixed = str(path).partition('{split}')[0]
        if path is not None and not os.path.exists(fixed):
            raise MissingFileError(f'{option} is {str(path)!r}, which is not there')
        of_json = option == '--masks' and fixed.endswith('.json')
        if path is not None and os.path.isfile(fixed) and not of_json:
            more = '' if option == '--images' else ", or a JSON file in COCO's form"
            raise expected(option, str(path), f'a folder{more}')


def places(images: str | Path, masks: str | Path | None) -> tuple[str, dict[str, str]]:
    """Return the folder around images and masks, and both as :class:`FolderDataset` takes them.

    Folders ``train`` and ``val`` in both are taken for splits.

    Raises:
        MissingFileError: One of them is not there.
    """
    check_places(images, masks)
    if masks is None or os.path.abspath(masks) == os.path.abspath(images):
        root = os.path.abspath(images)
        layout = find_layout(root)
        if layout.is_coco:
            return root, dict(images=layout.images, masks=str(layout.masks))
        return root, dict(images='auto', masks='auto')
    both = [os.path.abspath(images), os.path.abspath(masks)]
    inside = [[os.path.isdir(os.path.join(each, split)) for split in INSIDE] for each in both]
    if all(all(each) for each in inside):
        both = [os.path.join(each, '{split}') for each in both]
    parents = [each.partition('{split}')[0] for each in both]
    if os.path.isfile(both[1]):
        parents[1] = os.path.dirname(both[1])
    return os.path.commonpath(parents), dict(images=both[0], masks=both[1])


def built(part: Mapping[str, Any]) -> FolderDataset:
    """Build a data set and list its files."""
    dataset: FolderDataset = DATASETS.build(dict(part))
    dataset.full_init()
    return dataset


def masks_of(dataset: FolderDataset, images: str) -> list[str]:
    """Return the mask of every image.

    Raises:
        MissingFileError: An image has none; the message says how many.
    """
    entries = dataset.entries()
    without = [entry for entry in entries if not entry.get('has_mask', True)]
    if without:
        first = without[0]
        wanted = os.path.relpath(str(first['seg_map_path']))
        raise MissingFileError(
            f'{len(without)} of {len(entries)} images in {images} have no mask, first '
            f'{os.path.relpath(first["img_path"])}, expected {wanted}'
        )
    return [entry['seg_map_path'] for entry in entries]


def of_categories(named: NamedClasses, others: str) -> MaskClasses:
    """Return the categories of a JSON file that stand for the classes; others are background.

    Raises:
        InvalidInputError: The others shall be void, which a JSON file does not say.
    """
    if others == 'void':
        raise expected('--others', others, "'background': a JSON file annotates all its objects")
    ids = {name: named.values[name] or name for name in named.names}
    return MaskClasses(ids, named.names)


def own_test(part: Mapping[str, Any], dataset: FolderDataset, val: Any) -> dict[str, Any] | None:
    """Return the data set of test images that are no part of those to learn from; None for none.

    Args:
        part: Config of the images to learn from.
        dataset: These images.
        val: See :func:`new_images`.

    Raises:
        InvalidInputError: The folder has a split for the test, and a share is wanted.
    """
    if isinstance(val, str | Path) and str(val) not in ('auto', 'none') and _number(val) is None:
        return other_folder(part, Path(val), dataset)
    splits = dataset.layout.splits if dataset.layout else ()
    split = of_kind(splits, (*VAL, *TEST))
    if split is None or str(val) == 'none':
        return None
    if str(val) != 'auto':
        raise expected('--val', val, f'auto, none or a folder: the images have a split {split!r}')
    return dict(part, split=split)


def divided(
    part: dict[str, Any], test: dict[str, Any] | None, dataset: FolderDataset, val: Any
) -> tuple[dict[str, Any], dict[str, Any] | None, int, str]:
    """Return the data sets to learn from and to test on, how many are tested on, and why those.

    Args:
        part: Config of the images.
        test: Config of test images of their own; None where some are to be held out.
        dataset: The images.
        val: See :func:`new_images`.
    """
    total = len(dataset)
    if str(val) == 'none':
        return part, None, 0, '--val none: the new class has no score'
    if test is not None:
        how = f'its split {test["split"]}' if str(val) == 'auto' else str(val)
        return part, test, len(built(test)), how
    digests = file_digests([entry['img_path'] for entry in dataset.entries()])
    if total < FEWEST:
        why = f'{total} images are fewer than {FEWEST}: --val names others to test on'
        if str(val) != 'auto':
            raise expected('--val', val, f'a folder, or none: {why}')
        return part, None, 0, why
    share = share_of(val, digests)
    train = dict(part, held_out=share)
    number = int(held_out(digests, share).sum())
    return train, dict(train, split='val'), number, 'by content; --val names others'


def share_of(val: Any, digests: Sequence[bytes]) -> float:
    """Return the share of the images to hold out.

    Args:
        val: ``'auto'``, a share, or a number of images.
        digests: Of the content of each image.

    Raises:
        InvalidInputError: It is none of these.
    """
    if str(val) == 'auto':
        return SHARE
    number, most = _number(val), min(MOST, len(digests) - 1)
    if number is not None and 0 < number < 1:
        return number
    if number is None or not LEAST <= number <= most or number != int(number):
        raise expected(
            '--val',
            val,
            f'a share above 0 and below 1, a number from {LEAST} to {most}, a folder, or none',
        )
    places = sorted(int.from_bytes(each[:7], 'big') / (1 << 56) for each in digests)
    return (places[int(number) - 1] + places[int(number)]) / 2


def _number(val: Any) -> float | None:
    if is_number(val):
        return float(val)
    try:
        return float(val) if isinstance(val, str) else None
    except ValueError:
        return None


def other_folder(part: Mapping[str, Any], folder: Path, dataset: FolderDataset) -> dict[str, Any]:
    """Return the data set of test images in a folder of their own.

    Raises:
        MissingFileError: The folder, its images or its masks are missing.
        InvalidInputError: Images of it are learned from, too.
    """
    if not folder.exists():
        raise MissingFileError(f'--val is {str(folder)!r}, which is not there')
    test = {
        **part,
        'data_root': os.path.abspath(folder),
        'images': 'auto',
        'masks': 'auto',
        'split': 'val',
    }
    try:
        there = built(test)
    except InvalidInputError:  # no split of the test in it: all of it
        test['split'] = 'train'
        there = built(test)
    learned = {
        digest: entry['img_path']
        for digest, entry in zip(
            file_digests([entry['img_path'] for entry in dataset.entries()]), dataset.entries()
        )
    }
    tested = [entry['img_path'] for entry in there.entries()]
    shared = [path for path, digest in zip(tested, file_digests(tested)) if digest in learned]
    if shared:
        raise InvalidInputError(
            f'{len(shared)} images of --val are also in --images, first '
            f'{os.path.basename(shared[0])} (equal content)'
        )
    return test


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
