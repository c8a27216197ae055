"""Export of pseudo-labels as COCO's JSON, for other tools."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from incseg.constants import VOID
from incseg.datasets.pseudo_labels.pseudo_label_files import PseudoLabelFiles
from incseg.utils.files import write_atomically


def export_coco(
    files: PseudoLabelFiles, image_ids: Sequence[str], classes: Sequence[str], path: str | Path
) -> None:
    """Write the label maps as run-length encoded masks, one for each class of an image.

    Categories are dataset ids.  Background and uncertain pixels are in no
    mask, so they cannot be told apart in the file: it is for interchange only.

    Args:
        files: The pseudo-labels of a step.
        image_ids: The images.  Each id becomes the ``file_name`` of an entry
            whose ``id`` counts from 1.
        classes: C + 1 names by dataset id, the background first.
        path: The JSON file.

    Raises:
        MissingFileError, InvalidInputError: A label map is missing or damaged.
        SaveError: The file cannot be written.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, image_id in enumerate(image_ids, 1):
        label = files.read_label(image_id)
        images.append(
            dict(id=number, file_name=image_id, height=label.shape[0], width=label.shape[1])
        )
        for class_id in np.unique(label).tolist():
            if class_id not in (0, VOID):
                annotations.append(
                    dict(
                        id=len(annotations) + 1,
                        image_id=number,
                        category_id=class_id,
                        iscrowd=0,
                        **encode(label == class_id),
                    )
                )
    categories = [dict(id=i, name=name) for i, name in enumerate(classes) if i]
    content = dict(images=images, annotations=annotations, categories=categories)
    write_atomically(Path(path), (json.dumps(content) + '\n').encode())


def encode(mask: np.ndarray) -> dict[str, Any]:
    """Return a mask as an object of COCO's JSON.

    Args:
        mask: Bool ``(H, W)``.

    Returns:
        A dict of ``segmentation`` (compressed run-length code), ``area`` in pixels and
        ``bbox``, ``[left, top, width, height]``.
    """
    rle = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    area, box = int(coco_mask.area(rle)), coco_mask.toBbox(rle).tolist()
    rle['counts'] = rle['counts'].decode('ascii')
    return dict(segmentation=rle, area=area, bbox=box)
