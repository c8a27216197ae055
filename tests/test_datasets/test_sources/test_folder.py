"""A folder of somebody's own images and masks."""

import numpy as np
import pytest

from incseg.datasets import FolderDataset
from incseg.datasets.class_subset import declared_metainfo
from incseg.errors import InvalidInputError, MissingFileError
from tests.common.folders import coco_json, write_files, write_own_folder

PIPELINE = [dict(type='LoadImage'), dict(type='LoadLabels')]
MASK = np.array([[0, 1, 4], [0, 1, 255]], np.uint8)
RGB = np.array([[(0, 0, 0), (9, 0, 0), (0, 9, 0)], [(0, 0, 0), (9, 0, 0), (7, 7, 7)]], np.uint8)


TWO = dict(cat=1, dog=4)


def labels(root, **options):
    return FolderDataset(str(root), pipeline=PIPELINE, **options)[0]['gt_seg_map'].tolist()


@pytest.fixture
def grey(tmp_path):
    return write_files(tmp_path, {'images/a.jpg': (2, 3), 'masks/a.png': MASK})


@pytest.fixture
def coloured(tmp_path):
    return write_files(tmp_path, {'images/a.jpg': (2, 3), 'masks/a.png': RGB})


@pytest.mark.parametrize(
    ('options', 'expected'),
    [
        (dict(ids=dict(cat=1, dog=4)), [[0, 1, 2], [0, 1, 255]]),
        (dict(ids=dict(dog=4, cat=1, sky=0)), [[3, 2, 1], [3, 2, 255]]),
        (dict(ids=dict(cat=1, dog=4, edge=255)), [[0, 1, 2], [0, 1, 3]]),
        (dict(ids=dict(background=4, cat=1, void=0)), [[255, 1, 0], [255, 1, 255]]),
        (dict(ids=dict(cat=1), void_ids=[4]), [[0, 1, 255], [0, 1, 255]]),
        (dict(ids=dict(cat=1, dog=4), classes=['dog']), [[0, 0, 1], [0, 0, 255]]),
        (
            dict(ids=dict(cat=1, dog=4), classes=['dog'], others='void'),
            [[0, 255, 1], [0, 255, 255]],
        ),
        (dict(ids=['a', 'b', 'c', 'd']), [[0, 1, 4], [0, 1, 255]]),
        (
            dict(metainfo=dict(classes=['background', 'x']), file_ids={0: 0, 1: 'x', 4: 0}),
            [[0, 1, 0], [0, 1, 255]],
        ),
        (
            dict(metainfo=dict(classes=['background', *'abcd']), reduce_zero_label=True),
            [[255, 1, 4], [255, 1, 255]],
        ),
    ],
)
def test_values_of_ids(grey, options, expected):
    """If it fails, a class learns the pixels of another one."""
    assert labels(grey, **options) == expected


def test_values_of_colours(coloured):
    """If it fails, RGB masks give a class the pixels of another one."""
    ids = dict(cat=[9, 0, 0], dog=[0, 9, 0], void=[7, 7, 7])
    assert labels(coloured, ids=ids) == [[0, 1, 2], [0, 1, 255]]
    assert labels(coloured, ids=ids, classes=['dog']) == [[0, 0, 1], [0, 0, 255]]
    assert labels(coloured, ids=ids, void_ids=[2]) == [[0, 1, 255], [0, 1, 255]]
    write_files(coloured, {'map.txt': 'void:7,7,7::\ncat:9,0,0::\ndog:0,9,0::\nbackground:0,0,0::'})
    assert labels(coloured, ids=['dog', 'cat'], colours='map.txt') == [[0, 2, 1], [0, 2, 255]]
    dataset = FolderDataset(str(coloured), ids=ids)
    dataset.check_files()
    assert dataset.presence(1, False).tolist() == [[True, True, True]]
    assert dataset.metainfo['palette'] == [[0, 0, 0], [9, 0, 0], [0, 9, 0]]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(), 'FolderDataset has no classes, expected ids: .*incseg init DIR'),
        (dict(ids='cat'), "ids is 'cat', expected a dict of names"),
        (dict(ids=dict(background=0)), 'expected one class or more besides background'),
        (dict(ids=['cat', 'cat']), 'each name once'),
        (dict(ids=dict(cat=1, dog=1)), '1 is there twice'),
        (dict(ids=dict(cat=300)), r'ids.cat is 300, expected 0 to 255, or \[red'),
        (dict(ids=dict(cat=1, dog=[1, 2, 3])), 'expected ids of all classes, or colours of all'),
        (dict(ids=dict(cat=1)), r'id outside the data set: 4 \(1 pixels\).* of a FolderDataset'),
        (dict(ids=['cat'], file_ids={1: 'cat'}), 'file_ids is .*ids says what the values are'),
        (dict(ids=['cat'], metainfo=dict(classes=['background', 'dog'])), 'as in ids'),
        (dict(ids=['cat'], held_out=1.5), 'held_out is 1.5, expected a share above 0'),
        (dict(ids=['cat'], split='val'), "split is 'val', expected 'train'.*held_out=0.2"),
        (dict(ids=['cat'], split='val', held_out=0.2), 'has 1 images, expected at least 25'),
        (dict(ids=['cat'], colours='map.txt'), 'map.txt.* does not exist'),
        (dict(ids=['cat'], ann_file='images/a.jpg', held_out=0.2), 'ann_file|cannot be read'),
    ],
)  # fmt: skip
def test_arguments_are_refused(grey, options, message):
    """If it fails, a slip in a config ends in a traceback or in wrong labels."""
    with pytest.raises((InvalidInputError, MissingFileError), match=message) as caught:
        labels(grey, **options)
    assert '\n' not in str(caught.value)


def test_colours_without_names(coloured):
    """If it fails, RGB masks are read as something, or nobody learns which colours they have."""
    with pytest.raises(InvalidInputError, match=r'a\.png.* has colours: .*\(9, 0, 0\) 33 %'):
        labels(coloured, ids=['cat'])
    write_files(coloured, {'map.txt': 'cat\ndog', 'other.txt': 'cat 9 0 0'})
    with pytest.raises(InvalidInputError, match='map.txt.* names without colours'):
        labels(coloured, ids=['cat'], colours='map.txt')
    with pytest.raises(InvalidInputError, match="other.txt.* is 'dog', expected 'cat'"):
        labels(coloured, ids=['cat', 'dog'], colours='other.txt')


def test_classes_are_declared_without_files():
    """If it fails, a checkpoint cannot name its classes where the data are not."""
    for ids in (dict(cat=1), dict(cat=[9, 0, 0]), dict(cat='Katze'), dict(cat=300), ['cat']):
        found = declared_metainfo(FolderDataset, dict(data_root='nowhere', ids=ids))
        assert found['classes'] == ('background', 'cat')


def test_held_out_images(tmp_path):
    """If it fails, images are both learned from and tested on, or neither."""
    root = write_own_folder(tmp_path, 40)
    options = dict(data_root=str(root), ids=['a', 'b', 'c'], held_out=0.2)
    train, test = (FolderDataset(split=split, **options) for split in ('train', 'val'))
    assert len(test) >= 5 and not {*train.image_ids} & {*test.image_ids}
    assert len(train) + len(test) == 40 == len(FolderDataset(split=['train', 'test'], **options))
    assert len(FolderDataset(str(root), ids=['a'])) == 40
    write_own_folder(tmp_path, 60)
    assert {*test.image_ids} <= {*FolderDataset(split='val', **options).image_ids}
    assert {*train.image_ids} <= {*FolderDataset(split='train', **options).image_ids}
    (root / 'masks/0.png').rename(root / 'masks/zero.png')
    assert FolderDataset(only_with_masks=True, **options).unused_label_maps() == [
        str(root / 'masks/zero.png')
    ]


def test_splits_by_their_usual_names(tmp_path):
    """If it fails, a config says 'val' and the folder 'valid', and nobody finds the images."""
    files = {}
    for split, name in (('training', 'a'), ('valid', 'b')):
        files |= {f'{split}/images/{name}.jpg': (2, 3), f'{split}/masks/{name}.png': MASK}
    root = str(write_files(tmp_path, files))
    ids = dict(cat=1, dog=4)
    for split, name in (('train', 'a'), ('training', 'a'), ('val', 'b'), ('validation', 'b')):
        assert FolderDataset(root, split, ids=ids).image_ids == [name]
    with pytest.raises(InvalidInputError, match="split is 'test', expected 'training' or 'valid'"):
        FolderDataset(root, 'test', ids=ids)
    with pytest.raises(InvalidInputError, match="None: the folder has a split 'valid'"):
        FolderDataset(root, ids=ids, held_out=0.2)


def test_other_kinds_of_files(tmp_path):
    """If it fails, masks that are no PNG are refused before the first step."""
    root = write_files(tmp_path, {'images/a.jpg': (2, 3), 'masks/a.bmp': RGB})
    ids = dict(cat=[9, 0, 0], dog=[0, 9, 0], void=[7, 7, 7])
    FolderDataset(str(root), ids=ids).check_files()
    assert labels(root, ids=ids) == [[0, 1, 2], [0, 1, 255]]


def test_masks_beside_images(tmp_path, monkeypatch):
    """If it fails, masks are learned from as pictures, or told to be left over."""
    said = []
    monkeypatch.setattr('incseg.datasets.image_lists.tell_once', lambda *line: said.append(line))
    files = {'a.png': (2, 3), 'a_mask.png': MASK, 'b.png': (2, 3)}
    root = str(write_files(tmp_path, files))
    with pytest.raises(MissingFileError, match=r'b_mask\.png.* does not exist \(1 of 2'):
        FolderDataset(root, ids=dict(cat=1, dog=4))
    dataset = FolderDataset(root, ids=dict(cat=1, dog=4), only_with_masks=True)
    assert dataset.image_ids == ['a'] and dataset.unused_label_maps() == []
    assert said[-1][1:] == ('2 pictures, 1 masks: 1 pairs; without mask: b', False)
    dataset = FolderDataset(root, ids=dict(cat=1, dog=4), partly_labelled=True)
    assert dataset.has_mask.tolist() == [True, False]


def test_images_alone(tmp_path):
    """If it fails, images that have image-level labels only cannot be read."""
    root = str(write_files(tmp_path, {'images/a.jpg': (2, 3), 'masks/b.png': MASK}))
    dataset = FolderDataset(root, ids=['cat'], masks=None)
    assert (dataset.image_ids, dataset.has_mask.tolist()) == (['a'], [False])


def test_folders_by_data_prefix(tmp_path):
    """If it fails, folders of other names cannot be read as in every other data set."""
    files = {'p/train/a.jpg': (2, 3), 'q/train/a.png': MASK, 'q2/train/a.png': MASK}
    root = write_files(tmp_path, files)
    prefix = dict(img_path='p/{split}', seg_map_path='q/{split}')
    assert labels(root, ids=dict(cat=1, dog=4), data_prefix=prefix) == [[0, 1, 2], [0, 1, 255]]


def test_objects_of_a_json_file(tmp_path):
    """If it fails, COCO's objects get the label of another category, or are painted wrongly."""
    names = {300: 'cat', 7: 'dog', 1: 'pets'}
    content = coco_json((4, 6), names, a=[(300, 0, 0, 2, 2), (7, 3, 0, 6, 1)], b=[])
    files = {'images/a.jpg': (4, 6), 'images/b.jpg': (4, 6), 'images/c.jpg': (4, 6)}
    root = write_files(tmp_path / 'data', {**files, 'annotations/all.json': content})
    first = [[1, 1, 0, 2, 2, 2], [1, 1, 0, 0, 0, 0], [0] * 6, [0] * 6]
    swapped = np.array([0, 2, 1])[first].tolist()
    json_file = 'annotations/all.json'
    assert labels(root, ids=['cat', 'dog']) == first
    assert labels(root, ids=dict(dog='dog', kitten='cat')) == swapped
    assert labels(root, ids=dict(dog=7, cat=300), masks=json_file) == swapped
    assert labels(root, metainfo=dict(classes=['background', 'cat', 'dog'])) == first
    dataset = FolderDataset(str(root), ids=['cat', 'dog'], classes=['dog'])
    dataset.check_files()
    assert dataset.image_ids == ['a', 'b'] and dataset.unused_label_maps() == []
    assert dataset.presence(1, False).tolist() == [[True, True], [True, False]]
    for ids, message in (
        (['cat'], r"category .* is \['dog'\], expected 'cat'; name each of them in ids: 'dog' \(1"),
        (['cow'], "is 'cow', expected a category of .*'cat', 'dog' or 'pets'"),
        (
            dict(cat=1, dog=2),
            r"names of the categories of .*all.json', as \['cat', 'dog'\]",
        ),
    ):
        with pytest.raises(InvalidInputError, match=message):
            labels(root, ids=ids)
