"""What every registered data set and every source of image-level labels promises."""

import json
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from incseg.constants import VOID
from incseg.datasets import SegDataset
from incseg.errors import InvalidInputError, MissingFileError
from incseg.registry import DATASETS, TASK_UTILS
from tests.common.contract import Contract, Example
from tests.common.folders import TEST, TRAIN, write_coco_and_voc, write_split, write_voc

PLAIN = dict(metainfo=dict(classes=('background', 'x', 'y', 'z')))
PIPELINE = [dict(type='LoadImage'), dict(type='LoadLabels')]
#: The promise: names of the splits for training and test, and what writes the files of others than
#: a plain SegDataset; nothing where there are no files.
SOURCES = Contract(
    'data set',
    DATASETS,
    ('incseg.datasets.seg_dataset', 'incseg.datasets.sources'),
    dict(
        ADE20KDataset=Example(dict(train='training', test='validation')),
        CamVidDataset=Example(dict(train='train', test='test')),
        CityscapesDataset=Example(dict(train='train', test='val')),
        COCODataset=Example(dict(train='train', test='val')),
        COCOVOCDataset=Example(
            dict(train=('coco_train', 'voc_train_aug'), test=('coco_val', 'voc_val')),
        ),
        FolderDataset=Example(dict(train='train', test='val'), **PLAIN),
        SegDataset=Example(dict(train='train', test='val'), **PLAIN),
        ShapesDataset=Example(dict(train='train', test='test'), length=6, size=16),
        VOCDataset=Example(dict(train='train_aug', test='val')),
    ),
    __file__,
)


def write_plain(root):
    """The layout of a plain SegDataset, which a FolderDataset finds by looking."""
    for split, masks in (('train', TRAIN), ('val', TEST)):
        write_split(SegDataset, root, split, masks, **PLAIN)
    return dict(data_root=str(root))


WRITERS = dict(
    COCOVOCDataset=write_coco_and_voc,
    FolderDataset=write_plain,
    ShapesDataset=lambda root: {},
)


class Folder:
    """A data set's files, and the data set as its example builds it."""

    def __init__(self, root):
        self.root = root
        self.arguments = {}

    def write(self, name):
        splits, kind = SOURCES[name].promise, SOURCES.parts()[name]
        if name in WRITERS:
            self.arguments = WRITERS[name](self.root)
        else:
            for split, masks in ((splits['train'], TRAIN), (splits['test'], TEST)):
                write_split(kind, self.root, split, masks, **SOURCES[name])
            self.arguments = dict(data_root=str(self.root))
        return self

    def build(self, name, split='train', **options):
        arguments = dict(self.arguments, split=SOURCES[name].promise[split], pipeline=PIPELINE)
        return SOURCES.build(name, **{**arguments, **options})


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / 'root')


OF_FILES = pytest.mark.parametrize('name', sorted(set(SOURCES.parts()) - {'ShapesDataset'}))


@SOURCES.each()
def test_images_and_their_ids(name, folder):
    """If it fails, an image is served twice or under a name that a memory cannot find again, or
    the test images are trained on."""
    folder.write(name)
    train, test = folder.build(name), folder.build(name, 'test')
    for dataset in (train, test):
        assert isinstance(dataset, SegDataset)
        ids = dataset.image_ids
        assert len(ids) == len(dataset) == len(set(ids)) > 1
        assert all(isinstance(i, str) for i in ids)
        assert [dataset.get_data_info(i)['image_id'] for i in range(len(dataset))] == ids
    assert not set(train.image_ids) & set(test.image_ids)
    assert folder.build(name).image_ids == train.image_ids, 'the order is another each time'


@SOURCES.each()
@pytest.mark.parametrize('split', ['train', 'test'])
def test_presence_is_that_of_the_masks(name, split, folder):
    """If it fails, steps are given other images than those whose masks show their classes."""
    dataset = folder.write(name).build(name, split)
    presence = dataset.presence(num_workers=1, progress=False)
    assert presence.shape == (len(dataset), dataset.num_classes + 1)
    assert presence.dtype == np.bool_ and presence[:, 1:].any()
    for row, sample in zip(presence, (dataset[i] for i in range(len(dataset)))):
        label = sample['gt_seg_map']
        assert label.dtype == np.uint8 and label.shape == sample['img'].shape[:2]
        assert set(np.flatnonzero(row)) == set(np.unique(label)) - {VOID}
    assert dataset.has_mask.all()


@SOURCES.each()
def test_what_the_classes_are(name, folder):
    """If it fails, a checkpoint names or paints its classes wrongly, or only where data are."""
    dataset = folder.write(name).build(name)
    classes, palette = dataset.metainfo['classes'], dataset.metainfo['palette']
    assert classes[0] == 'background' and len(set(classes)) == len(classes)
    assert len(classes) == len(palette) == dataset.num_classes + 1
    assert all(len(colour) == 3 and 0 <= min(colour) <= max(colour) <= 255 for colour in palette)
    assert len({tuple(colour) for colour in palette}) == len(palette)
    without_files = type(dataset).resolve_metainfo(SOURCES[name].get('metainfo'))
    assert (without_files['classes'], without_files['palette']) == (classes, palette)


@SOURCES.each()
def test_travels_to_workers(name, folder):
    """If it fails, a loader's worker serves other samples, or a sample spoils the next."""
    dataset = folder.write(name).build(name)
    dataset.get_data_info(0).clear()
    first = dataset[0]
    held = {key: first[key].copy() for key in ('img', 'gt_seg_map')}
    for key in held:
        first[key][:] = 77
    for other in (dataset, pickle.loads(pickle.dumps(dataset))):
        assert other.image_ids == dataset.image_ids
        for key, array in held.items():
            np.testing.assert_array_equal(other[0][key], array)


@OF_FILES
def test_says_what_is_missing(name, folder):
    """If it fails, a wrong folder or a missing file ends in a traceback, or images are left out."""
    with pytest.raises(MissingFileError, match='no_such_folder'):
        folder.build(name, data_root='no_such_folder')
    folder.write(name)
    dataset = folder.build(name)
    for key in ('seg_map_path', 'img_path')[: 1 + bool(dataset.ANN_FILE)]:
        path = Path(dataset.get_data_info(0)[key])
        path.rename(path.with_suffix('.gone'))
        with pytest.raises(MissingFileError, match=dataset.image_ids[0]):
            folder.build(name)
        path.with_suffix('.gone').rename(path)


@OF_FILES
def test_foreign_ids_are_refused(name, folder):
    """If it fails, a mask of another data set is trained on as void or as some class."""
    dataset = folder.write(name).build(name)
    path = Path(dataset.get_data_info(0)['seg_map_path'])
    label = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    label[0, 0] = 254
    cv2.imwrite(str(path), label)
    for read in (lambda: dataset[0], lambda: folder.build(name).presence(1, False)):
        with pytest.raises(InvalidInputError, match=f'{path.name}.*254'):
            read()


@OF_FILES
def test_states_tell_changed_files(name, folder):
    """If it fails, a base step is shared between data sets that differ."""
    dataset = folder.write(name).build(name)
    before = dataset.file_states()
    assert before == folder.build(name).file_states()
    assert dataset.file_states([1]) == before[2:4]
    path = Path(dataset.get_data_info(1)['seg_map_path'])
    path.write_bytes(path.read_bytes() + b'x')
    after = folder.build(name).file_states()
    assert [a == b for a, b in zip(after, before)].count(False) == 1


#: The promise: the data set that a source is for, 'voc' or 'joined'.
LABELS = Contract(
    'source of image-level labels',
    TASK_UTILS,
    'incseg.datasets.image_labels',
    dict(
        JSONImageLabels=Example('voc', path='labels.json'),
        MaskImageLabels=Example('voc'),
        PartImageLabels=Example('joined', parts=dict(voc_train_aug=dict(type='VOCXMLImageLabels'))),
        VOCXMLImageLabels=Example('voc'),
    ),
    __file__,
)


@pytest.fixture
def source(tmp_path):
    """``source(name)``: a source of image-level labels, and its data set."""

    def build(name, **options):
        root = tmp_path / 'root'
        joined = LABELS[name].promise == 'joined'
        if not root.exists():
            (write_coco_and_voc if joined else write_voc)(root)
        kind = 'COCOVOCDataset' if joined else 'VOCDataset'
        folder = Folder(root)
        folder.arguments = dict(data_root=str(root))
        if joined:
            folder.arguments = dict(data_root=str(root / 'coco'), voc_root=str(root / 'voc'))
        dataset = folder.build(kind, **options)
        example = dict(LABELS.config(name), dataset=dataset)
        if 'path' in example:
            path = root / example['path']
            names = dataset.metainfo['classes']
            shown = {
                image_id: [names[i] for i in np.unique(mask) if 0 < i < VOID]
                for image_id, mask in TRAIN.items()
            }
            path.write_text(json.dumps(shown))
            example['path'] = str(path)
        return TASK_UTILS.build(example), dataset

    return build


@LABELS.each()
def test_image_labels_are_those_of_the_masks(name, source):
    """If it fails, weak supervision is told other classes than the images show."""
    labels, dataset = source(name)
    rows = labels.labels(dataset.image_ids)
    assert rows.dtype == np.bool_ and rows.shape == (len(dataset), dataset.num_classes + 1)
    assert rows[:, 0].all(), 'of the background they say nothing'
    presence = dataset.presence(num_workers=1, progress=False)
    np.testing.assert_array_equal(rows[:, 1:], presence[:, 1:])
    order = dataset.image_ids[::-1]
    np.testing.assert_array_equal(labels.labels(order), rows[::-1])
    assert labels.labels([]).shape == (0, dataset.num_classes + 1)


@LABELS.each()
def test_an_image_that_the_source_lacks(name, source):
    """If it fails, an image without an entry is taken for one that shows nothing."""
    labels, dataset = source(name)
    with pytest.raises(MissingFileError, match='stranger'):
        labels.labels([dataset.image_ids[0], 'stranger'])


@LABELS.each()
def test_masks_are_read_only_where_it_says_so(name, source):
    """If it fails, weak supervision asks for masks that a user does not have."""
    labels, dataset = source(name)
    expected = labels.labels(dataset.image_ids)
    assert isinstance(type(labels).reads_masks, bool)
    if type(labels).reads_masks:
        return
    for i, image_id in enumerate(dataset.image_ids):
        if not image_id.startswith('coco'):
            Path(dataset.get_data_info(i)['seg_map_path']).unlink()
    labels, dataset = source(name, partly_labelled=True)
    np.testing.assert_array_equal(labels.labels(dataset.image_ids), expected)
