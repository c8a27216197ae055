"""Some classes of a data set, by name and in order; the others become background or void."""

import json
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from incseg.apis import Inferencer
from incseg.datasets import IncrementalDataset, SegDataset, ShapesDataset, VOCDataset
from incseg.engine import train_protocol
from incseg.errors import InvalidInputError
from incseg.protocols import Protocol
from tests.conftest import CONFIGS

NAMES = ['person', 'cat', 'dog', 'horse', 'cow', 'sheep']
META = dict(
    classes=('background', 'cat', 'dog', 'cow'), palette=[[0] * 3, [1] * 3, [2] * 3, [9] * 3]
)
MASKS = {'a': [[0, 1, 2, 255]], 'b': [[3, 3, 0, 0]], 'c': [[0, 0, 0, 0]], 'd': [[2, 2, 3, 1]]}


@pytest.fixture
def animals(tmp_path, write_image, write_label):
    for name, ids in MASKS.items():
        write_image(tmp_path / f'images/train/{name}.jpg', (1, 4))
        write_label(tmp_path / f'labels/train/{name}.png', ids)

    def make(**arguments):
        return SegDataset(str(tmp_path), metainfo=META, **arguments)

    return make


def labels(dataset):
    reader = dataset.label_reader
    return {e['image_id']: reader(e['seg_map_path']).tolist()[0] for e in dataset.entries()}


def test_classes_in_their_order(animals):
    """If it fails, a class is learned under another one's name or colour."""
    dataset = animals(classes=['cow', 'cat'])
    assert dataset.metainfo['classes'] == ('background', 'cow', 'cat')
    assert dataset.metainfo['palette'] == [[0] * 3, [9] * 3, [1] * 3]
    assert labels(dataset) == {
        'a': [0, 2, 0, 255],
        'b': [1, 1, 0, 0],
        'c': [0, 0, 0, 0],
        'd': [0, 0, 1, 2],
    }
    assert dataset.presence().astype(int).tolist() == [[1, 0, 1], [1, 1, 0], [1, 0, 0], [1, 1, 1]]


def test_no_image_shows_the_classes(animals, tmp_path):
    """If it fails, classes that nothing shows are a traceback of numpy."""
    (tmp_path / 'list.txt').write_text('a\nc\n')
    with pytest.raises(InvalidInputError, match="no image of SegDataset train shows 'cow': name"):
        animals(classes=['cow'], only_with_classes=True, ann_file='list.txt').full_init()


def test_background_that_is_not_first(animals):
    """If it fails, the message lists the classes and does not say where the background goes."""
    with pytest.raises(InvalidInputError, match="'background' at place 1, expected it first or"):
        animals(classes=['dog', 'background'])


def test_others_are_void(animals):
    """If it fails, an unwanted class is taught as background although void was asked for."""
    dataset = animals(classes=('cow', 'cat'), others='void')
    assert labels(dataset)['a'] == [0, 2, 255, 255]
    assert labels(dataset)['d'] == [255, 255, 1, 2]


@pytest.mark.parametrize(
    ('classes', 'ids'), [(['cow'], 'bd'), (['cat'], 'ad'), (None, 'abd'), (['dog', 'cat'], 'ad')]
)
def test_images_without_a_class_go(animals, classes, ids):
    """If it fails, images without any class fill the batches, or images are lost."""
    dataset = animals(classes=classes, only_with_classes=True)
    assert dataset.image_ids == list(ids)
    assert len(dataset.presence()) == len(ids) and dataset.presence()[:, 1:].any(1).all()


def test_all_classes_by_name_are_the_data_set_itself(animals):
    whole, named = animals(), animals(classes=META['classes'])
    assert named.metainfo == whole.metainfo and labels(named) == labels(whole)


def test_a_step_of_chosen_classes(animals):
    """If it fails, a step of a protocol has other images or labels than its classes ask for."""
    dataset = animals(classes=['cow', 'dog', 'cat'])
    step = IncrementalDataset(dataset, dict(base=1, increment=1), 1, [])
    assert step.metainfo['classes'] == ('background', 'cow', 'dog')
    assert step.image_ids == ['a', 'd']
    assert step.label_lut[[0, 1, 2, 3]].tolist() == [0, 0, 2, 0]


def test_shapes_by_name():
    """If it fails, data drawn in memory keep the numbers of all classes."""
    whole, some = ShapesDataset(length=6), ShapesDataset(length=6, classes=['star', 'disc'])
    for i in range(6):
        before, after = (d.get_data_info(i)['gt_seg_map'] for d in (whole, some))
        assert (after == np.select([before == 6, before == 1], [1, 2], 0)).all()
        assert set(np.flatnonzero(some.presence()[i])) == set(np.unique(after))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'classes': ['cat', 'dgo']}, "classes of SegDataset is 'dgo', .*; did you mean 'dog'"),
        ({'classes': ['cat', 'cat']}, "has 'cat' twice"),
        ({'classes': 'cat'}, "classes of SegDataset is 'cat', expected a list of names"),
        ({'classes': []}, r'is \[\], expected one or more of'),
        ({'classes': ['background']}, 'expected one or more of'),
        ({'classes': [3]}, "is 3, expected 'cat', 'dog' or 'cow'"),
        ({'classes': 3}, 'is 3, expected a list'),
        ({'classes': ['cat'], 'others': 'ignore'}, "others of SegDataset is 'ignore', expected"),
        ({'others': 'void'}, "others of SegDataset is 'void', expected classes=.…. with it"),
        ({'only_with_classes': 'yes'}, "only_with_classes is 'yes', expected True or False"),
    ],
)
def test_mistakes(animals, arguments, message):
    """If it fails, a slip in a name is a traceback, or trains on other classes."""
    with pytest.raises(InvalidInputError, match=message):
        animals(**arguments)


def test_voc_animals(make_voc):
    """If it fails, the config's classes of VOC are others, or in another order."""
    root = make_voc(
        train_aug={'x': [[15, 8, 12, 13]], 'y': [[10, 17, 1, 255]], 'z': [[1, 2, 3, 4]]}
    )
    dataset = VOCDataset(str(root), 'train_aug', classes=NAMES, only_with_classes=True)
    assert labels(dataset) == {'x': [1, 2, 3, 4], 'y': [5, 6, 0, 255]}


PHOTOS = Path(__file__).parents[2] / '../shared/data/voc_photos'
#: images of each step in the data's README
COUNTS = {
    ('3-1', 'overlap'): [2448, 444, 262, 299],
    ('3-1', 'disjoint'): [2133, 438, 261, 299],
}


@pytest.mark.skipif(not PHOTOS.is_dir(), reason=f'the photographs are not in {PHOTOS}')
def test_counts_of_the_photographs():
    """If it fails, steps of the six animals have other images than the data's README says."""
    arguments = dict(classes=NAMES, only_with_classes=True)
    dataset = VOCDataset(str(PHOTOS), 'train_aug', **arguments)
    assert len(dataset) == 3131 and len(VOCDataset(str(PHOTOS), 'val', classes=NAMES)) == 445
    presence = dataset.presence(progress=False)
    for (name, setting), counts in COUNTS.items():
        protocol = Protocol.parse(name, 6, setting)
        assert [len(protocol.select(presence, k)) for k in range(4)] == counts
    assert presence[:, 1:].sum(0).tolist() == [588, 1000, 1177, 444, 262, 299]


def test_config_of_the_animals(make_voc):
    """If it fails, the shipped config restricts training or test to other classes."""
    base = Config.fromfile(CONFIGS / '_base_/data/voc_animals.py')
    assert base.classes == NAMES
    assert base.data.train.classes == base.data.test.classes == '$classes'
    assert base.data.train.only_with_classes and 'only_with_classes' not in base.data.test


def test_both_splits_need_the_same_classes(tiny):
    """If it fails, a run ends in a table of other classes than it learned."""
    with pytest.raises(InvalidInputError, match='the list of classes of data.test is'):
        tiny(**{'data.train.classes': ['disc', 'star', 'ring']}, **{'protocol.name': '2-1'})


def test_a_run_on_chosen_classes(tiny, tmp_path):
    """If it fails, networks, tables or ledgers have other classes than were chosen."""
    names = ['star', 'disc', 'ring']
    parts = {f'data.{split}.classes': names for split in ('train', 'test')}
    config = tiny(**parts, **{'protocol.name': '2-1', 'data.train.only_with_classes': True})
    train_protocol(config, tmp_path / 'run', reuse=False)
    result = json.loads((tmp_path / 'run/results.json').read_text())
    assert result['protocol']['classes'] == ['background', *names]
    assert list(result['steps'][-1]['iou']) == ['background', *names]
    model = Inferencer(tmp_path / 'run/step_1/final.pth', device='cpu')
    assert model.classes == ['background', *names]
