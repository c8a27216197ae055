from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from incseg.constants import VOID
from incseg.datasets import LoadImage, LoadLabels, PseudoLabelFiles
from incseg.engine.figures.layout import ENLARGE, GAP, HEAD, grid, with_legend, with_row_names
from incseg.engine.weak.evaluate_pseudo_labels import check_classes
from incseg.errors import InvalidInputError
from incseg.utils.outputs import check_outputs
from incseg.utils.pictures import check_picture_name, paint, write_picture
from incseg.utils.rules import expected


def draw_pseudo_labels(
    dataset: Any, folder: str | Path, images: Sequence[str], path: Path, force: bool = False
) -> None:
    """Draw images with their truth, the scores and the pseudo-labels.

    Only classes of the pseudo-labels are coloured.  The third column shows the
    greatest score of any class, from black (0) to white (1); it is missing
    without score files.  Void and uncertain pixels show the image.  Each row
    ends with the id of its image; a legend of the classes stands below.

    Args:
        dataset: A :class:`SegDataset` with the images' masks.
        folder: The folder of the pseudo-labels, ``<root>/<protocol>/<step>``.
        images: Ids of the images, one row each; all of one size.
        path: The picture to write.
        force: Whether it may be there already.

    Raises:
        UserError: If an image is not in the data set, a file is missing or
            damaged, or the picture is there already or cannot be written.
    """
    check_picture_name(path)
    files = PseudoLabelFiles(folder)
    labels = (each for each in files.folder.rglob('*') if each.is_file())
    check_outputs([path], [*labels, *dataset.input_files()], force=force)
    ids = files.read_meta()['ids']
    check_classes(files, dataset)
    palette = [
        [0, 0, 0] if i and i not in ids else list(colour)
        for i, colour in enumerate(dataset.metainfo['palette'])
    ]
    class_lut = np.zeros(256, np.uint8)
    class_lut[ids], class_lut[VOID] = ids, VOID
    columns: dict[str, list[np.ndarray]] = {'image': [], 'truth': [], 'score': [], 'label': []}
    place = {image_id: i for i, image_id in enumerate(dataset.image_ids)}
    for image_id in images:
        if image_id not in place:
            raise InvalidInputError(
                f'image {image_id!r} is not in the data set, whose {len(place)} ids begin with '
                f'{list(place)[:3]}'
            )
        info = LoadLabels().transform(LoadImage().transform(dataset.get_data_info(place[image_id])))
        picture = info['img']
        columns['image'].append(picture)
        columns['truth'].append(paint(picture, class_lut[info['gt_seg_map']], palette, 0.7))
        columns['label'].append(paint(picture, files.read_label(image_id, ids), palette, 0.7))
        if files.score_path(image_id).is_file():
            scores = files.read_scores(image_id, ids)
            maps = scores.full_size()[np.asarray(scores.ids) > 0]
            best = maps.max(0) if len(maps) else np.zeros(picture.shape[:2], np.float32)
            columns['score'].append(
                cv2.cvtColor(np.rint(255 * best).astype(np.uint8), cv2.COLOR_GRAY2BGR)
            )
    if len(columns['score']) < len(images):
        del columns['score']
    sizes = {picture.shape[:2] for picture in columns['image']}
    if len(sizes) > 1:
        raise expected('sizes of the images', sorted(sizes), 'one size')
    height = ENLARGE * columns['image'][0].shape[0]
    picture = with_row_names(grid(columns), images, HEAD, height + GAP)
    names = dataset.metainfo['classes']
    picture = with_legend(picture, {names[i]: palette[i] for i in (0, *ids)})
    write_picture(path, picture)
