"""Several data sets with one numbering: an id of one part must not pass for another class."""

from pathlib import Path

import numpy as np
import pytest

from incseg.datasets import COCODataset, COCOVOCDataset, JoinedDataset, SegDataset, VOCDataset
from incseg.datasets.label_maps.reader import LabelReader
from incseg.datasets.preparation.coco_masks import paint_coco_masks
from incseg.errors import InvalidInputError, MissingFileError
from incseg.protocols import Protocol


class Letters(SegDataset):
    """Files 0..2 are a, b, c; no background, as in CamVid."""

    METAINFO = dict(classes=('background', 'a', 'b', 'c'))

    def make_label_reader(self):
        return LabelReader(3, {0: 1, 1: 2, 2: 3})


class Greek(SegDataset):
    METAINFO = dict(classes=('background', 'beta', 'gamma'))


class Both(JoinedDataset):
    """Its ids are c 1, b 2, a 3, gamma 4; Greek's beta is b; every second image of Letters."""

    METAINFO = dict(classes=('background', 'c', 'b', 'a', 'gamma'))
    RENAMED = dict(beta='b')

    def make_part(self, split):
        part = (Letters if split == 'letters' else Greek)(f'{self.data_root}/{split}', 'train')
        return part, np.arange(0, len(part), 2 if split == 'letters' else 1)


@pytest.fixture
def both(tmp_path, write_label, write_image):
    for part, masks in {'letters': [[0, 1], [2, 2], [2, 255]], 'greek': [[0, 1], [2, 0]]}.items():
        for i, mask in enumerate(masks):
            write_image(tmp_path / part / f'images/train/{part}{i}.jpg', (1, 2))
            write_label(tmp_path / part / f'labels/train/{part}{i}.png', [mask])
    return Both(str(tmp_path), ['letters', 'greek'])


def test_one_numbering(both):
    """Files, labels and classes of each part in the joined ids; else images get others' classes."""
    assert both.image_ids == ['letters0', 'letters2', 'greek0', 'greek1']
    assert [ids.tolist() for ids in both.new_ids] == [[0, 3, 2, 1], [0, 2, 4]]
    read = [
        info['label_reader'](info['seg_map_path']).tolist()
        for info in map(both.get_data_info, range(4))
    ]
    assert read == [[[3, 2]], [[1, 255]], [[0, 2]], [[4, 0]]]
    assert both.places().tolist() == [[0, 0], [0, 2], [1, 0], [1, 1]]
    presence = both.presence(num_workers=1, progress=False)
    assert [np.flatnonzero(row).tolist() for row in presence] == [[2, 3], [1], [0, 2], [0, 4]]


@pytest.mark.parametrize(
    'argument', [dict(file_ids={1: 2}), dict(void_ids=[1]), dict(reduce_zero_label=True)]
)
def test_meanings_of_ids_belong_to_the_parts(both, argument):
    """If it fails, an argument is taken and does nothing."""
    with pytest.raises(InvalidInputError, match='expected no value: .* have different ids'):
        Both('', ['letters'], lazy_init=True, **argument)


def test_a_subset_keeps_its_rows(both):
    """mmengine's ``indices`` select entries; classes must go with them."""
    subset = Both(both.data_root, ['letters', 'greek'], indices=[3, 1])
    assert subset.image_ids == ['greek1', 'letters2']
    presence = subset.presence(num_workers=1, progress=False)
    assert [np.flatnonzero(row).tolist() for row in presence] == [[0, 4], [1]]


def test_two_classes_of_a_part_become_one(both, monkeypatch):
    """An image shows the joined class if it shows either; else the second hides the first."""
    monkeypatch.setattr(Both, 'RENAMED', dict(beta='b', gamma='b'))
    merged = Both(both.data_root, 'greek')
    assert merged.new_ids[0].tolist() == [0, 2, 2]
    presence = merged.presence(num_workers=1, progress=False)
    assert [np.flatnonzero(row).tolist() for row in presence] == [[0, 2], [0, 2]]


def test_refusals(both, monkeypatch):
    """A class without a place, an image twice, and folders that no part would look into."""
    with pytest.raises(InvalidInputError, match=r"image 'greek0' is listed twice"):
        Both(both.data_root, ['greek', 'greek'])
    with pytest.raises(InvalidInputError, match=r'ann_file is .*Both has no files of its own'):
        Both(both.data_root, 'greek', ann_file='a.txt')
    monkeypatch.setattr(Both, 'RENAMED', {})
    with pytest.raises(InvalidInputError, match="of Greek is 'beta', expected a class of Both"):
        Both(both.data_root, 'greek')


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
        with pytest.raises(InvalidInputError, match=f"split is '{split}', expected coco_train"):
            COCOVOCDataset(**roots, split=split)


def test_vocs_masks_may_be_missing(roots):
    """Learning from image-level labels that are not of masks needs COCO's masks alone."""
    Path(roots['voc_root'], 'SegmentationClassAug/2007_1.png').unlink()
    dataset = COCOVOCDataset(**roots, partly_labelled=True)
    assert dataset.has_mask.tolist() == [True, True, True, False, True]
    with pytest.raises(MissingFileError, match=r'2007_1\.png'):
        COCOVOCDataset(**roots)
