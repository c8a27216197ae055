"""Data sets on disk, made for a test in the layout that their class declares."""

import json
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from incseg.constants import VOID
from incseg.datasets import COCODataset, VOCDataset
from incseg.datasets.label_maps import write_label_file

#: image id -> dataset ids of its mask, (H, W); each class of 1 to 3 is missing in some image
TRAIN = {
    'a': [[1, 1, 2], [VOID, 1, 2]],
    'b': [[2, 2, 2], [2, 2, 2]],
    'c': [[3, 1, 1], [3, VOID, 1]],
    'd': [[VOID, 3, VOID], [3, 3, 3]],
}
TEST = {'e': [[1, 2], [3, 3]], 'f': [[VOID, 1], [1, 1]]}


def write_split(kind, root, split, masks, **options):
    """Write images, label files and list of one split, as a class of data sets declares them."""
    dataset = kind(str(root), split, lazy_init=True, **options)
    reader, endings = dataset.label_reader, (dataset.img_suffix[0], dataset.seg_map_suffix)
    file_id = {int(i): number for number, i in reversed(list(enumerate(reader.table)))}
    file_id[VOID] = VOID
    for image_id, mask in masks.items():
        mask = np.array(mask)
        image = np.full((*mask.shape, 3), 100, np.uint8)
        label = np.vectorize(file_id.get)(mask).astype(np.uint8)
        keys = ('img_path', 'seg_map_path')
        for key, array, suffix in zip(keys, (image, label), endings, strict=True):
            folder = Path(root, kind.DATA_PREFIX[key].replace('{split}', split))
            folder.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(folder / f'{image_id}{suffix}'), array)
    if kind.ANN_FILE:
        path = Path(root, kind.ANN_FILE.replace('{split}', split))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(''.join(f'{image_id}\n' for image_id in masks))


def write_files(root, files):
    """Write files below a folder: ``{'images/a.jpg': (4, 6), 'masks/a.png': ids, 'a.txt': 'x'}``.

    A size ``(height, width)`` is a picture of noise, uint8 ``(H, W)`` a palette picture of ids,
    ``(H, W, 3)`` RGB; a text or bytes are the content, a dict JSON.
    """
    for name, content in files.items():
        path = Path(root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, tuple):
            noise = np.random.default_rng(sum(map(ord, name))).integers(0, 255, (*content, 3))
            Image.fromarray(noise.astype(np.uint8)).save(path)
        elif isinstance(content, dict):
            path.write_text(json.dumps(content))
        elif isinstance(content, str | bytes):
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        elif np.ndim(content) == 3:
            Image.fromarray(np.asarray(content, np.uint8)).save(path)
        else:
            write_label_file(path, np.asarray(content, np.uint8))
    return Path(root)


def write_own_folder(root, number=30, ids=(0, 1, 2, 3), size=(24, 32), masks='masks/{}.png'):
    """Pictures ``images/<i>.jpg`` with masks of columns of ids, each of them in each mask."""
    columns = np.repeat(np.repeat(ids, size[1] // len(ids))[None], size[0], 0)
    files = {}
    for i in range(number):
        files[f'images/{i}.jpg'] = size
        files[masks.format(i)] = np.roll(columns, i, 1)
    return write_files(root, files)


def coco_json(size, names, **objects):
    """COCO's form of boxes: ``coco_json((4, 6), {1: 'cat'}, a=[(1, x0, y0, x1, y1)])``."""
    images = [
        dict(id=i, file_name=f'{name}.jpg', height=size[0], width=size[1])
        for i, name in enumerate(objects, 1)
    ]
    annotations = [
        dict(id=n, image_id=i, category_id=k, iscrowd=0, segmentation=[[a, b, c, b, c, d, a, d]])
        for n, (i, (k, a, b, c, d)) in enumerate(
            ((i, box) for i, boxes in enumerate(objects.values(), 1) for box in boxes), 1
        )
    ]
    categories = [dict(id=i, name=name) for i, name in names.items()]
    return dict(images=images, annotations=annotations, categories=categories)


def write_voc(root):
    """VOC's layout, with an XML file for each image of the training split."""
    write_split(VOCDataset, root, 'train_aug', TRAIN)
    write_split(VOCDataset, root, 'val', TEST)
    folder = Path(root, 'Annotations')
    folder.mkdir()
    names = VOCDataset.METAINFO['classes']
    for image_id, mask in TRAIN.items():
        objects = ''.join(
            f'<object><name>{names[i]}</name></object>' for i in np.unique(mask) if i != VOID
        )
        (folder / f'{image_id}.xml').write_text(f'<annotation>{objects}</annotation>')
    return dict(data_root=str(root))


def write_coco_and_voc(root):
    """COCO's layout and VOC's; COCO's images show classes that VOC has not."""
    away = 6  # of the dataset ids 7 to 9, train is VOC's
    masks = {f'coco_{name}': np.array(mask) for name, mask in {**TRAIN, **TEST}.items()}
    for mask in masks.values():
        mask[mask != VOID] += away + 2
    split = len(TRAIN)
    write_split(COCODataset, root / 'coco', 'train', dict(list(masks.items())[:split]))
    write_split(COCODataset, root / 'coco', 'val', dict(list(masks.items())[split:]))
    write_voc(root / 'voc')
    return dict(data_root=str(root / 'coco'), voc_root=str(root / 'voc'))
