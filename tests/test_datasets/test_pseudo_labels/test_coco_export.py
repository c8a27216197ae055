import json

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from incseg.datasets import PseudoLabelFiles, export_coco
from incseg.datasets.pseudo_labels.coco_export import encode

LABELS = {'dir/a': np.uint8([[0, 5, 5], [2, 2, 255]]), 'b': np.uint8([[0, 0]])}


def test_round_trip(tmp_path, capsys):
    """pycocotools itself reads every class's mask back, exactly; background and uncertain pixels
    are in none."""
    files = PseudoLabelFiles(tmp_path)
    for image_id, label in LABELS.items():
        files.write(image_id, label)
    names = ['background', *(f'class {i}' for i in range(1, 6))]
    export_coco(files, list(LABELS), names, tmp_path / 'coco.json')
    coco = COCO(str(tmp_path / 'coco.json'))
    assert [image['file_name'] for image in coco.loadImgs([1, 2])] == ['dir/a', 'b']
    found = {
        item['category_id']: coco.annToMask(item).tolist()
        for item in coco.loadAnns(coco.getAnnIds(imgIds=[1]))
    }
    assert found == {5: [[0, 1, 1], [0, 0, 0]], 2: [[0, 0, 0], [1, 1, 0]]}
    assert coco.getAnnIds(imgIds=[2]) == []
    assert coco.loadCats(5) == [dict(id=5, name='class 5')] and not coco.getCatIds(['background'])


def test_area_box_and_text():
    """``counts`` are text, as JSON needs; the box is x, y, width, height."""
    mask = np.zeros((4, 6), np.bool_)
    mask[1:3, 2:5] = True
    encoded = encode(mask)
    assert encoded['area'] == 6 and encoded['bbox'] == [2, 1, 3, 2]
    assert isinstance(json.loads(json.dumps(encoded))['segmentation']['counts'], str)
    assert (coco_mask.decode(encoded['segmentation']) == mask).all()
