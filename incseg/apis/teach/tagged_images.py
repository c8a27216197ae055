"""Images of a new class without masks: the labels say which images show it."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from incseg.apis.teach.mask_classes import NamedClasses, classes_of_masks
from incseg.apis.teach.new_images import (
    NewImages,
    built,
    check_places,
    divided,
    masks_of,
    other_folder,
)
from incseg.datasets.folders.held_out import held_out
from incseg.datasets.negatives import NegativeFolder
from incseg.errors import InvalidInputError, MissingFileError
from incseg.utils.file_digests import file_digests
from incseg.utils.rules import any_of, expected, similar

#: value of ``labels`` that says: each image shows each new class
ALL = 'all'
#: the folder of label maps, below that of the run, and in it the file of the labels of images
LABELS, TAGS = 'pseudo_labels', 'image_labels.json'


@dataclass
class TaggedImages(NewImages):
    """Images whose labels are classes, not masks.

    Attributes:
        source: Config of the images to learn from, without masks.
        tags: The new classes that each image shows, by image id, held-out images included.
        negatives: A folder of images without the classes; None for none.
        share: Share of the images that is held out; None for none.
        asked: Images that are held out, by path, with their classes.
        old_network: Whether only the old network can tell what the new classes are not: each
            image shows one of them.
        protocol: Name of the protocol whose steps SEAM sees: one of all new classes, or that of
            the old classes and that of the new ones.
    """

    source: dict[str, Any]
    tags: dict[str, list[str]]
    negatives: str | None
    share: float | None
    asked: dict[str, list[str]]
    old_network: bool
    protocol: str


def tagged_images(
    images: str | Path,
    labels: str | Path | None,
    negatives: str | Path | None,
    named: NamedClasses,
    known: Sequence[str],
    folder: Path,
    val: Any = 'auto',
    others: str = 'known',
) -> TaggedImages:
    """Look at images and at the labels that say which classes each of them shows.

    Args:
        images: The folder of the images.
        labels: A JSON file, ``{image: [classes]}``; ``'all'`` or None: each image shows the class.
        negatives: A folder of images that show none of the classes; None for none.
        named: The classes.
        known: Names of the classes that the model knows; labels may name them, too.
        folder: The run's folder, which will get the label maps.
        val: As for :func:`new_images`; a folder has masks.
        others: ``'background'`` ignores other names in the labels.

    Raises:
        MissingFileError: A folder or file, or the label of an image, is missing.
        InvalidInputError: The labels do not fit the images or the classes.
    """
    if named.old:
        raise InvalidInputError(
            f'--classes has {named.old[0]!r}, which the model knows; without masks expected the '
            f'new classes alone: --classes {" ".join(named.new)}'
        )
    for name, value in named.values.items():
        if value is not None and not os.path.isdir(str(val)):
            raise expected(f'{name} in --classes', f'{name}={value}', f'{name}: no mask has values')
    check_places(images, None)
    root = os.path.abspath(images)
    source: dict[str, Any] = dict(
        type='FolderDataset', data_root=root, images='.', masks=None, ids=list(named.new)
    )
    whole = built(source)
    tags = read_tags(labels, whole.image_ids, named.new, known, others, str(images))
    for name in named.new:
        if not any(name in each for each in tags.values()):
            raise InvalidInputError(
                f'{labels} names no image of {name!r}, expected some that show it'
            )
    check_differ(tags, named.new)
    test = None
    if isinstance(val, str | Path) and os.path.isdir(val):
        test = tested_by_masks(source, Path(val), whole, named, others)
    part, _, tested, how = divided(dict(source, split='train'), test, whole, val)
    share = part.get('held_out')
    asked: dict[str, list[str]] = {}
    what = ''
    if share is not None:
        what = ', by image: there are no masks'
        learned = {*built(part).image_ids}
        named_by = {entry['image_id']: entry['img_path'] for entry in whole.entries()}
        asked = {path: tags[name] for name, path in named_by.items() if name not in learned}
    if negatives is not None:
        asked |= dict.fromkeys(negatives_to_ask(negatives, whole, share), [])
    number = len(whole) - (tested if share is not None else 0)
    counts = ', '.join(f'{sum(n in t for t in tags.values())} show {n}' for n in named.new)
    told = [
        f'images   {len(whole)} in {images}, without masks: {counts}',
        f'split    {number} to learn from, {tested} to test on{what} ({how})',
    ]
    shown = [tags[name] for name in built(part).image_ids]
    old_network = negatives is None and any(all(n in t for t in shown) for n in named.new)
    protocol, first, step = 'offline', 1, 0
    if old_network:
        protocol, first, step = f'{len(known)}-{len(named.new)}', 1 + len(known), 1
    place = os.path.abspath(folder / LABELS / protocol / str(step) / 'labels')
    ids = {name: first + i for i, name in enumerate(named.new)}
    train = dict(part, data_root=os.path.commonpath([root, place]), images=root)
    train |= dict(masks=place, ids=ids)
    train.pop('held_out', None)
    made = TaggedImages(
        train=dict(train, only_with_masks=True),
        test=test,
        number=number,
        tested=tested,
        told=told,
        source=part,
        tags=tags,
        negatives=None if negatives is None else str(negatives),
        share=share,
        asked=asked,
        old_network=old_network,
        protocol=protocol,
    )
    told.append(f'labels   {negatives_in_words(made)}')
    return made


def check_differ(tags: Mapping[str, Sequence[str]], names: Sequence[str]) -> None:
    """Refuse two classes that the same images show.

    Raises:
        InvalidInputError: Naming both.
    """
    shown = {name: frozenset(image for image in tags if name in tags[image]) for name in names}
    for i, name in enumerate(names):
        for other in names[:i]:
            if shown[name] == shown[other]:
                raise InvalidInputError(
                    f'the same {len(shown[name])} images show {other!r} and {name!r}, so nothing '
                    'tells one from the other; expected --labels FILE with images of one of them, '
                    'or one class at a time'
                )


def negatives_in_words(images: TaggedImages) -> str:
    """Return where SEAM finds examples without the new classes."""
    if images.old_network:
        return 'each image shows the class: the model finds in them what it is not'
    without = sum(not each for each in images.tags.values())
    folder = '' if images.negatives is None else f'the images in {images.negatives}'
    own = f'{without} of the images' if without else ''
    which = ' and '.join(part for part in (own, folder) if part)
    return f'{which} show none of the classes' if which else 'no class is in every image'


def read_tags(
    labels: str | Path | None,
    image_ids: Sequence[str],
    new: Sequence[str],
    known: Sequence[str],
    others: str,
    images: str,
) -> dict[str, list[str]]:
    """Return the new classes that each image shows.

    Args:
        labels: A JSON file, ``{image: [classes]}``, its images with or without their endings;
            ``'all'`` or None for all new classes in each image.
        image_ids: The images.
        new: The new classes.
        known: Names that the labels may have, too.
        others: ``'background'`` ignores all other names.
        images: The folder, for messages.

    Raises:
        MissingFileError: There is no such file, or it lacks images.
        InvalidInputError: It names images that are not there, or other classes.
    """
    if labels is None or str(labels) == ALL:
        return {name: list(new) for name in image_ids}
    found = json_of(Path(labels))
    there = {*image_ids}
    names = {key: key if key in there else os.path.splitext(key)[0] for key in found}
    foreign = [key for key, name in names.items() if name not in there]
    if foreign:
        close = similar(foreign[0], image_ids) or image_ids[0]
        raise InvalidInputError(
            f'{labels} names {len(foreign)} images that are not in {images}, first '
            f'{foreign[0]!r}; expected names such as {close!r}'
        )
    tags = {names[key]: value for key, value in found.items()}
    lacking = [name for name in image_ids if name not in tags]
    if lacking:
        raise MissingFileError(
            f'{labels} lacks {len(lacking)} of the {len(image_ids)} images in {images}, first '
            f'{lacking[0]!r}; an image that shows none of the classes has an empty list'
        )
    unknown = [name for each in tags.values() for name in each if name not in (*new, *known)]
    if unknown and others != 'background':
        meant = similar(unknown[0], new)
        hint = f'did you mean {meant!r}? ' if meant else ''
        raise InvalidInputError(
            f'{labels} names the class {unknown[0]!r}, which is not in --classes; {hint}expected '
            f'{any_of(new)}, or --others background to ignore it'
        )
    return {name: [cls for cls in new if cls in tags[name]] for name in image_ids}


def json_of(path: Path) -> dict[str, list[str]]:
    """Read a file of labels.

    Raises:
        MissingFileError: It is not there.
        InvalidInputError: It is no JSON object with a list of names for each image.
    """
    form = '{"image": ["class", …], …}'
    if not path.exists():
        raise MissingFileError(f'--labels is {str(path)!r}, which is not there')
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise expected('--labels', str(path), f'a JSON file, {form} ({error})') from error
    if not isinstance(content, dict):
        raise expected('--labels', str(path), f'a JSON object, {form}')
    for key, value in content.items():
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise InvalidInputError(f'{path} has {value!r:.60} for {key!r}, expected {form}')
    return content


def tested_by_masks(
    source: Mapping[str, Any], folder: Path, whole: Any, named: NamedClasses, others: str
) -> dict[str, Any]:
    """Return the data set of test images with masks, in a folder of their own."""
    part = dict(source, ids=['class'], partly_labelled=True)
    test = other_folder(part, folder, whole)
    meaning = classes_of_masks(named, masks_of(built(test), str(folder)), others)
    test = {key: value for key, value in test.items() if key != 'partly_labelled'}
    test['ids'] = meaning.ids
    if len(meaning.ids) > len(meaning.classes):
        test |= dict(classes=list(meaning.classes), others=meaning.others)
    return test


def negatives_to_ask(folder: str | Path, whole: Any, share: float | None) -> list[str]:
    """Return the images of a folder of negatives that are held out.

    Raises:
        MissingFileError: The folder, or an image in it, is not there.
        InvalidInputError: It holds images to learn from.
    """
    if not os.path.isdir(folder):
        raise MissingFileError(f'--negatives is {str(folder)!r}, expected a folder of images')
    paths = [str(path) for path in NegativeFolder(str(folder)).paths]
    digests = file_digests(paths)
    learned = {*file_digests([entry['img_path'] for entry in whole.entries()])}
    shared = [path for path, digest in zip(paths, digests) if digest in learned]
    if shared:
        raise InvalidInputError(
            f'{len(shared)} images of --negatives are also in --images, first '
            f'{os.path.basename(shared[0])} (equal content); expected images without the class'
        )
    out = np.zeros(len(paths), bool) if share is None else held_out(digests, share)
    return [path for path, each in zip(paths, out) if each]
