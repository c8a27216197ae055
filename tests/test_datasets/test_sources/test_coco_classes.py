from incseg.datasets import VOCDataset
from incseg.datasets.sources.coco import COCO_CATEGORIES, VOC_NAMES

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
