"""COCO: category ids with gaps become 1..80, and VOC's classes have their names."""

import numpy as np
import pytest

from incseg.datasets import COCODataset, VOCDataset
from incseg.datasets.preparation.coco_masks import paint_coco_masks
from incseg.datasets.sources.coco import COCO_CATEGORIES, VOC_NAMES
from incseg.errors import InvalidInputError, MissingFileError


def test_folder_of_the_downloads(make_coco, write_label):
    """Category ids become 1..80 without gaps: 13, stop sign, is the twelfth, 90 the eightieth."""
    root = make_coco(train={'000000000009': [], '000000000030': []})
    write_label(root / 'masks/train2017/000000000009.png', [[0, 1, 13, 90]])
    write_label(root / 'masks/train2017/000000000030.png', [[0, 255]])
    dataset = COCODataset(str(root), 'train')
    assert dataset.image_ids == ['000000000009', '000000000030']
    assert dataset.get_data_info(0)['img_path'] == str(root / 'train2017/000000000009.jpg')
    read = dataset.label_reader(dataset.get_data_info(0)['seg_map_path'])
    assert read.tolist() == [[0, 1, 12, 80]]
    assert [dataset.metainfo['classes'][i] for i in read[0]] == [
        'background',
        'person',
        'stop sign',
        'toothbrush',
    ]
    presence = dataset.presence(num_workers=1, progress=False)
    assert [np.flatnonzero(row).tolist() for row in presence] == [[0, 1, 12, 80], [0]]


def test_painted(make_coco):
    """The tool's masks are what the data set reads."""
    root = make_coco(val={'a': [('cat', 0, 0, 40, 30)]})
    paint_coco_masks(root, 'val')
    presence = COCODataset(str(root), 'val').presence(num_workers=1, progress=False)
    assert np.flatnonzero(presence[0]).tolist() == [COCODataset.METAINFO['classes'].index('cat')]


def test_what_is_missing(make_coco, tmp_path):
    """Masks that were not painted yet: says which tool does it; and no folder at all."""
    root = make_coco(train={'a': []})
    with pytest.raises(MissingFileError, match=r'masks/train2017.*paint-coco-masks'):
        COCODataset(str(root), 'train')
    with pytest.raises(MissingFileError, match='val2017.*does not exist.*COCO site'):
        COCODataset(str(root), 'val')
    with pytest.raises(MissingFileError, match=r"data_root '.*nowhere' does not exist"):
        COCODataset(str(tmp_path / 'nowhere'))


def test_ids_of_something_else(make_coco, write_label):
    """12 is one of the gaps, and 92 to 182 are COCO-Stuff's: refused with file and id."""
    root = make_coco(train={'a': []})
    for foreign in (12, 92, 182):
        write_label(root / 'masks/train2017/a.png', [[foreign]])
        with pytest.raises(InvalidInputError, match=rf'a\.png.*outside the data set: {foreign} '):
            COCODataset(str(root), 'train').presence(num_workers=1, progress=False)


#: ids of COCO's first list, up to 90, that no annotation has
GAPS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}


def test_cocos_numbering():
    """80 names, each once, at their published ids; a shift of one would train other classes."""
    assert len(COCO_CATEGORIES) == len(set(COCO_CATEGORIES.values())) == 80
    assert set(COCO_CATEGORIES) == set(range(1, 91)) - GAPS
    assert list(COCO_CATEGORIES) == sorted(COCO_CATEGORIES)
    for number, name in {
        1: 'person',
        11: 'fire hydrant',
        13: 'stop sign',
        44: 'bottle',
        62: 'chair',
        67: 'dining table',
        72: 'tv',
        90: 'toothbrush',
    }.items():
        assert COCO_CATEGORIES[number] == name


def test_vocs_names():
    """Each of VOC's 20 has one COCO class, in VOC's order; the ids are the published table's."""
    assert tuple(VOC_NAMES.values()) == VOCDataset.METAINFO['classes'][1:]
    number = {name: i for i, name in COCO_CATEGORIES.items()}
    assert [number[name] for name in VOC_NAMES] == [
        5,
        2,
        16,
        9,
        44,
        6,
        3,
        17,
        62,
        21,
        67,
        18,
        19,
        4,
        1,
        64,
        20,
        63,
        7,
        72,
    ]
    same = {ours for ours, theirs in VOC_NAMES.items() if ours == theirs}
    assert set(VOC_NAMES) - same == {
        'airplane',
        'motorcycle',
        'dining table',
        'potted plant',
        'couch',
        'tv',
    }
