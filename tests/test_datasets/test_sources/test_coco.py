import numpy as np
import pytest

from incseg.datasets import COCODataset
from incseg.datasets.preparation.coco_masks import paint_coco_masks
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
    with pytest.raises(MissingFileError, match=r'masks/train2017/a\.png.*paint_coco_masks\.py'):
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
