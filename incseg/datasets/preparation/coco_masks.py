"""COCO's folder ``masks``, made from its instance annotations."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from incseg.datasets.coco_json.instances import category_map, mask_names, read_coco_json
from incseg.datasets.label_maps.label_file import write_label_file
from incseg.datasets.sources.coco import COCO_CATEGORIES, COCODataset
from incseg.utils.rules import expected


def paint_coco_masks(
    data_root: str | Path,
    split: str,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Write a palette PNG of category ids for every image of a split.

    The files are ``masks/<split>2017/<image's name>.png``, in the subfolder in which the image
    lies below ``<split>2017``.  Existing files are kept; they are complete, since each is
    written whole or not at all.

    Args:
        data_root: COCO's folder, with ``annotations/instances_<split>2017.json``.
        split: ``'train'`` or ``'val'``.
        report: Called with (done, total) after every mask.

    Returns:
        Number of masks of the split.

    Raises:
        MissingFileError: The JSON file is missing.
        InvalidInputError: The JSON file is not COCO's, or an image's name leads out of the folder.
        SaveError: A mask cannot be written.
    """
    path = Path(data_root, f'annotations/instances_{split}2017.json')
    content = read_instances(path, COCODataset.how_to_get)
    of_image: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for annotation in content['annotations']:
        of_image[annotation['image_id']].append(annotation)
    folder = Path(data_root, f'masks/{split}2017')
    images = content['images']
    targets = mask_names(images, Path(data_root, f'{split}2017'), path)
    for done, (image, name) in enumerate(zip(images, targets, strict=True), 1):
        target = folder / name
        if not target.exists():
            mask = category_map(of_image[image['id']], image['height'], image['width'], path)
            write_label_file(target, mask)
        report(done, len(images))
    return len(images)


def read_instances(path: Path, how_to_get: str) -> dict[str, Any]:
    """Read COCO's own instance annotations, as :func:`read_coco_json` does.

    Args:
        path: ``instances_*.json``.
        how_to_get: Ends the message about a missing file.

    Raises:
        MissingFileError, InvalidInputError: See :func:`read_coco_json`; or a category is not
            among COCO's 80.
    """
    content = read_coco_json(path, how_to_get)
    named = {entry['id']: entry['name'] for entry in content['categories']}
    for category in sorted({entry['category_id'] for entry in content['annotations']}):
        if category not in COCO_CATEGORIES or named.get(category) != COCO_CATEGORIES[category]:
            raise expected(
                f"a category of '{path}'",
                (category, named.get(category)),
                "one of COCO's 80, 1 (person) to 90 (toothbrush)",
            )
    return content
