"""COCO's form of annotations: a JSON file of images, categories and objects; their label maps."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from incseg.datasets.coco_json.objects import object_pixels
from incseg.datasets.list_files import check_id
from incseg.errors import InvalidInputError, MissingFileError
from incseg.utils.pictures import MOST_PIXELS
from incseg.utils.rules import expected

#: the fields that are read of each entry, and their types
FIELDS: dict[str, dict[str, type]] = {
    'images': dict(id=int, file_name=str, height=int, width=int),
    'annotations': dict(image_id=int, category_id=int),
    'categories': dict(id=int, name=str),
}


def read_coco_json(path: Path, how_to_get: str) -> dict[str, Any]:
    """Read instance annotations in COCO's form.

    Args:
        path: The JSON file.
        how_to_get: Ends the message about a missing file.

    Returns:
        The content; its ``images``, ``annotations`` and ``categories`` have the
        fields of :data:`FIELDS`.

    Raises:
        MissingFileError: There is no such file.
        InvalidInputError: The file cannot be read or lacks a field; two images have one id, or
            an annotation's image or category is not there.
    """
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError as error:
        raise MissingFileError(f"'{path}' does not exist; {how_to_get}") from error
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"'{path}' cannot be read as JSON ({error})") from error
    for key, fields in FIELDS.items():
        entries = content.get(key) if isinstance(content, Mapping) else None
        if not isinstance(entries, list):
            raise InvalidInputError(
                f"'{path}' has no list {key!r}: it is not one of COCO's instances_*.json"
            )
        for entry in entries:
            for field, kind in fields.items():
                value = entry.get(field) if isinstance(entry, Mapping) else None
                wrong = isinstance(value, bool) or not isinstance(value, kind)
                if wrong or (field == 'file_name' and not PurePath(str(value)).name):
                    raise expected(
                        f"an entry of {key!r} in '{path}'",
                        entry,
                        f'a dict with {field!r}, {kind.__name__}',
                    )
    _check_images(content, path)
    return content


def _check_images(content: Mapping[str, Any], path: Path) -> None:
    """Refuse an id that two images have, a size that no image has, and a foreign annotation."""
    known: set[int] = set()
    for image in content['images']:
        if image['id'] in known:
            raise expected(
                f"id of image {image['file_name']!r} in '{path}'", image['id'], 'a new one'
            )
        known.add(image['id'])
        height, width = image['height'], image['width']
        if height < 1 or width < 1 or height * width > MOST_PIXELS:
            raise expected(
                f"(height, width) of image {image['file_name']!r} in '{path}'",
                (height, width),
                f'at least (1, 1), and no more than {MOST_PIXELS} pixels',
            )
    foreign = [each for each in content['annotations'] if each['image_id'] not in known]
    if foreign:
        raise InvalidInputError(
            f"'{path}': annotation {foreign[0].get('id')!r} is of image {foreign[0]['image_id']}, "
            f'which is not among its {len(known)} images ({len(foreign)} such annotations); '
            'remove them, or add the images'
        )


def mask_names(images: Sequence[Mapping[str, Any]], folder: Path, source: Path) -> list[str]:
    """Return the file of each image's mask, as the image itself lies below its folder.

    Some files of annotations name folders that the pictures do not lie in; these are left out
    where the picture is found without them.

    Args:
        images: COCO's entries of the images.
        folder: The folder of the pictures, which need not exist.
        source: File of the annotations, for errors.

    Raises:
        InvalidInputError: A name leads out of the folder, or two images share a mask.
    """
    names: dict[str, str] = {}
    for image in images:
        picture = image['file_name']
        check_id(picture, f"'{source}'")
        place = Path(picture)
        if len(place.parts) > 1 and not (folder / place).is_file():
            place = next(
                (
                    Path(*place.parts[start:])
                    for start in range(1, len(place.parts))
                    if (folder / Path(*place.parts[start:])).is_file()
                ),
                place,
            )
        mask = str(place.with_suffix('.png'))
        if mask in names:
            raise InvalidInputError(
                f"'{source}': images {names[mask]!r} and {picture!r} would share the mask "
                f'{mask!r}, expected names that differ before the ending'
            )
        names[mask] = picture
    return list(names)


def category_map(
    annotations: Sequence[Mapping[str, Any]], height: int, width: int, source: str | Path
) -> np.ndarray:
    """Draw the objects of one image into one label map.

    Where objects overlap, the one with fewer pixels is on top: a cup on a
    table.  Groups of objects (``iscrowd``) have their class too, below all
    single objects.

    Args:
        annotations: COCO's annotations of this image.
        height, width: Size of the image in pixels.
        source: File of the annotations, for errors.

    Returns:
        uint8 ``(height, width)`` of category ids, 0 background.

    Raises:
        InvalidInputError: A ``segmentation`` cannot be decoded.
    """
    shapes = []
    for annotation in annotations:
        shape = object_pixels(annotation, height, width, source)
        shapes.append(
            (not annotation.get('iscrowd', 0), -int(shape.sum()), shape, annotation['category_id'])
        )
    mask = np.zeros((height, width), np.uint8)
    for *_, shape, category in sorted(shapes, key=lambda item: item[:2]):
        mask[shape] = category
    return mask
