from pathlib import Path

import numpy as np
import pytest

from incseg.datasets import COCODataset, COCOVOCDataset, VOCDataset
from incseg.datasets.preparation.coco_masks import paint_coco_masks
from incseg.errors import InvalidInputError, MissingFileError
from incseg.protocols import Protocol

CLASSES = COCOVOCDataset.METAINFO['classes']
TRAIN = {
    'truck': [('truck', 0, 0, 9, 9)],
    'sofa': [('couch', 0, 0, 9, 9), ('bed', 9, 9, 20, 20)],
    'two': [('bed', 0, 0, 9, 9), ('toothbrush', 10, 0, 12, 5)],
    'nothing': [],
}
VAL = {'mixed': [('tv', 0, 0, 5, 5), ('laptop', 6, 6, 12, 12)], 'none': []}


@pytest.fixture
def roots(make_coco, make_voc):
    coco = make_coco(train=TRAIN, val=VAL)
    for split in ('train', 'val'):
        paint_coco_masks(coco, split)
    voc = make_voc(
        train_aug={'2007_1': [[0, 1, 255]], '2007_2': [[18, 20, 15]]}, val={'2007_3': [[19, 0, 0]]}
    )
    return dict(data_root=str(coco), voc_root=str(voc))


def names(rows):
    return [[CLASSES[i] for i in np.flatnonzero(row) if i] for row in rows]


def test_classes_are_complete():
    """Background, COCO's 60 others in COCO's order, VOC's 20 in VOC's; each name once."""
    assert len(CLASSES) == len(set(CLASSES)) == 81
    assert CLASSES[61:] == VOCDataset.METAINFO['classes'][1:]
    assert CLASSES[1:4] == ('truck', 'traffic light', 'fire hydrant')
    assert CLASSES[60] == 'toothbrush'
    coco = COCODataset.METAINFO['classes']
    assert list(CLASSES[1:61]) == [name for name in coco if name in CLASSES[1:61]]
    renamed = {COCOVOCDataset.RENAMED.get(name, name) for name in coco}
    assert renamed == set(CLASSES)


def test_training_images(roots):
    """COCO's images of VOC's classes are left out; each step has its own data set's images."""
    dataset = COCOVOCDataset(**roots, split=['coco_train', 'voc_train_aug'])
    assert dataset.image_ids == ['nothing', 'truck', 'two', '2007_1', '2007_2']
    presence = dataset.presence(num_workers=1, progress=False)
    assert names(presence) == [
        [],
        ['truck'],
        ['bed', 'toothbrush'],
        ['aeroplane'],
        ['person', 'sofa', 'tvmonitor'],
    ]
    for setting in ('overlap', 'disjoint'):
        protocol = Protocol.parse('60-20', 80, setting)
        assert protocol.select(presence, 0).tolist() == [1, 2]
        assert protocol.select(presence, 1).tolist() == [3, 4]


def test_labels(roots):
    """Painted category ids and VOC's ids become the joined ones, void stays."""
    dataset = COCOVOCDataset(**roots)
    found = {}
    for i in range(len(dataset)):
        info = dataset.get_data_info(i)
        found[info['image_id']] = info['label_reader'](info['seg_map_path'])
    ids, counts = np.unique(found['two'], return_counts=True)
    assert {CLASSES[i]: n for i, n in zip(ids, counts)} == {
        'background': 1200 - 81 - 10,
        'bed': 81,
        'toothbrush': 10,
    }
    assert found['2007_1'].tolist() == [[0, 61, 255]]
    assert found['2007_2'].tolist() == [[78, 80, 75]]


def test_validation_images(roots):
    """COCO's are all there, with VOC's classes; VOC's have theirs alone."""
    coco = COCOVOCDataset(**roots, split='coco_val')
    assert coco.image_ids == ['mixed', 'none']
    assert names(coco.presence(1, False)) == [['laptop', 'tvmonitor'], []]
    voc = COCOVOCDataset(**roots, split='voc_val')
    assert voc.image_ids == ['2007_3'] and names(voc.presence(1, False)) == [['train']]
    assert coco.metainfo['classes'] == voc.metainfo['classes'] == CLASSES


def test_what_is_missing(roots):
    """Which of the two folders, and what to do; COCO's split needs no VOC."""
    assert len(COCOVOCDataset(roots['data_root'], 'coco_val')) == 2
    with pytest.raises(MissingFileError, match=r"voc_root 'gone' does not.*PASCAL.*with voc_root"):
        COCOVOCDataset(roots['data_root'], 'voc_val', voc_root='gone')
    with pytest.raises(MissingFileError, match=r"data_root 'gone' does not exist.*COCO site"):
        COCOVOCDataset('gone', 'coco_train')
    for split in ('train', 'voc_', 'coco_train_aug'):
        with pytest.raises(InvalidInputError, match=f"split is '{split}'; allowed are coco_train"):
            COCOVOCDataset(**roots, split=split)


def test_vocs_masks_may_be_missing(roots):
    """Learning from image-level labels that are not of masks needs COCO's masks alone."""
    Path(roots['voc_root'], 'SegmentationClassAug/2007_1.png').unlink()
    dataset = COCOVOCDataset(**roots, partly_labelled=True)
    assert dataset.has_mask.tolist() == [True, True, True, False, True]
    with pytest.raises(MissingFileError, match=r'2007_1\.png'):
        COCOVOCDataset(**roots)
