"""The folder ``masks`` of COCO, painted of its instance annotations."""
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from incseg.datasets.coco import COCODataset
from incseg.datasets.coco_instances import read_instances
from incseg.datasets.label_files import write_label_file
from incseg.errors import InvalidInputError


def paint_coco_masks(
    data_root: str | Path, split: str,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Write a palette PNG of category ids for every image of a split.

    It goes to ``masks/<split>2017/<image's name>.png``.  Masks that are there
    already are kept: each was written whole.

    Args:
        data_root: COCO's folder, with ``annotations/instances_<split>2017.json``.
        split: ``'train'`` or ``'val'``.
        report: Called with (done, total) after every mask.

    Returns:
        How many masks the split has.

    Raises:
        MissingFileError: The JSON file is not there.
        InvalidInputError: It is not COCO's.
        SaveError: A mask cannot be written.
    """
    path = Path(data_root, f'annotations/instances_{split}2017.json')
    content = read_instances(path, COCODataset.how_to_get)
    of_image: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for annotation in content['annotations']:
        of_image[annotation['image_id']].append(annotation)
    folder = Path(data_root, f'masks/{split}2017')
    images = content['images']
    for done, image in enumerate(images, 1):
        target = folder / f"{Path(image['file_name']).stem}.png"
        if not target.exists():
            mask = category_map(of_image[image['id']], image['height'], image['width'], path)
            write_label_file(target, mask)
        report(done, len(images))
    return len(images)


def category_map(
    annotations: Sequence[Mapping[str, Any]], height: int, width: int, source: str | Path
) -> np.ndarray:
    """One image's objects in one label map.

    Where objects overlap, the one of fewer pixels is on top: a cup on a table,
    not a table with a cup's outline below it.  Groups that are not told apart
    (``iscrowd``) are of their class too, beneath all single objects.

    Args:
        annotations: COCO's, of this image.
        height, width: The image's.
        source: Where they come from, for errors.

    Returns:
        uint8 ``(height, width)`` of category ids, 0 background.

    Raises:
        InvalidInputError: A ``segmentation`` is none.
    """
    shapes = []
    for annotation in annotations:
        shape = decode(annotation, height, width, source)
        shapes.append((not annotation.get('iscrowd', 0), -int(shape.sum()), shape,
                       annotation['category_id']))
    mask = np.zeros((height, width), np.uint8)
    for *_, shape, category in sorted(shapes, key=lambda item: item[:2]):
        mask[shape] = category
    return mask


def decode(
    annotation: Mapping[str, Any], height: int, width: int, source: str | Path
) -> np.ndarray:
    """Where an object is, bool ``(height, width)``: of polygons, or of a run-length code."""
    outline = annotation.get('segmentation')
    try:
        if isinstance(outline, Mapping) and isinstance(outline['counts'], str):
            code = dict(outline)
        elif isinstance(outline, Mapping):
            code = coco_mask.frPyObjects(dict(outline), height, width)
        else:
            code = coco_mask.merge(coco_mask.frPyObjects(outline, height, width))
        shape: np.ndarray = coco_mask.decode(code).astype(bool)
    except Exception as error:  # whatever pycocotools makes of something else
        raise InvalidInputError(
            f"'{source}': annotation {annotation.get('id')!r} has no segmentation that can be "
            f'read ({error}); allowed are polygons and run-length codes') from error
    if shape.shape != (height, width):
        raise InvalidInputError(
            f"'{source}': annotation {annotation.get('id')!r} is of an image of "
            f'{shape.shape[0]} x {shape.shape[1]} pixels; its image has {height} x {width}')
    return shape
