"""What is wrong with the data is said before the first step is trained, not hours later."""

import re
import shutil
import warnings
from importlib import import_module

import numpy as np
import pytest
from PIL import Image

from incseg.engine import train_protocol
from incseg.errors import InvalidInputError, MissingFileError
from incseg.utils import file_digests
from incseg.utils.pictures import sizes

CLASSES = ['background', 'a', 'b', 'c']
MASKS = {
    'train': {'1': [0, 1], '2': [0, 2], '3': [0, 3], '4': [1, 2, 3]},
    'val': {'5': [0, 1, 2], '6': [0, 3]},
}


def write(root, split, name, ids, size=(6, 8)):
    """An image and a mask of the ids, in columns."""
    pixels = np.full((*size, 3), 30 * int(name), np.uint8)
    mask = np.array(ids, np.uint8)[np.arange(size[1]) * len(ids) // size[1]]
    for kind, array in (('images', pixels), ('labels', np.tile(mask, (size[0], 1)))):
        (root / kind / split).mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(root / kind / split / f'{name}.png')


def write_all(root, masks):
    shutil.rmtree(root, ignore_errors=True)
    for split, of_split in masks.items():
        for name, ids in of_split.items():
            write(root, split, name, ids)


@pytest.fixture
def fruit(tmp_path):
    """A data set of files, ``fruit/{images,labels}/{train,val}``."""
    write_all(tmp_path / 'fruit', MASKS)
    return tmp_path / 'fruit'


class StartedError(Exception):
    """The checks have passed: the first step begins."""


@pytest.fixture
def start(tiny, fruit, tmp_path, monkeypatch):
    """Start a run up to its first step; returns the warnings, one line each."""

    def begin(*arguments):
        raise StartedError

    monkeypatch.setattr(import_module('incseg.engine.train_protocol').ProtocolRun, '_step', begin)
    source = dict(type='SegDataset', data_root=str(fruit), metainfo=dict(classes=CLASSES))
    options = {
        'data.train': dict(source, split='train'),
        'data.test': dict(source, split='val'),
        'protocol.name': '2-1',
        'batch_size': 1,
    }

    def run(method='mib', **more):
        config = tiny(method, **{**options, **more})
        shutil.rmtree(tmp_path / 'run', ignore_errors=True)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            with pytest.raises(StartedError):
                train_protocol(config, tmp_path / 'run', reuse=False)
        lines = [str(each.message) for each in caught if each.category is UserWarning]
        assert not any('\n' in line for line in lines)
        return lines

    return run


def test_nothing_is_wrong(start):
    """If it fails, everybody learns to overlook warnings."""
    assert start() == []


def foreign(path):
    Image.fromarray(np.full((6, 8), 77, np.uint8)).save(path)


def other_size(path):
    Image.fromarray(np.zeros((8, 6), np.uint8)).save(path)


def cut(path):
    path.write_bytes(path.read_bytes()[:-20])


def no_picture(path):
    path.write_bytes(b'no picture')


@pytest.mark.parametrize('place', ['train/2.png', 'val/6.png'])
@pytest.mark.parametrize(
    ('kind', 'damage', 'message'),
    [
        ('labels', foreign, 'has an id outside the data set: 77'),
        ('labels', other_size, r'size of label map .* is \(8, 6\), expected \(6, 8\) .*images/'),
        ('labels', cut, 'cannot be read'),
        ('labels', no_picture, 'cannot be read'),
        ('images', cut, 'it is cut short'),
        ('images', no_picture, 'cannot be decoded'),
        ('images', lambda path: path.write_bytes(b''), 'is an empty file'),
        ('images', other_size, r'is \(6, 8\), expected \(8, 6\)'),
    ],
)
def test_a_file_that_a_step_would_stumble_over(
    start, fruit, tmp_path, place, kind, damage, message
):
    """If it fails, a broken file of the test split costs the whole training of step 0."""
    damage(fruit / kind / place)
    with pytest.raises(InvalidInputError, match=message) as error:
        start()
    assert place in str(error.value) and '\n' not in str(error.value)
    assert not list(tmp_path.glob('run/step_*'))


def test_the_second_start_reads_nothing(start, monkeypatch):
    """If it fails, every start decodes all masks of both splits and reads all files again."""
    monkeypatch.setattr(file_digests, 'YOUNG', 0)
    start()
    for module, name in (
        (sizes, 'size_at_a_glance'),
        (file_digests, 'digest_of'),
        (import_module('incseg.protocols.class_index'), 'parallel_scan'),
    ):
        monkeypatch.setattr(module, name, None)
    assert start(**{'data.train.split': 'train'}) == []


def test_masks_without_an_image(start, fruit):
    """If it fails, half of the data may lie in another folder without a word."""
    (fruit / 'images/train/4.png').unlink()
    [line] = start()
    assert line.startswith('1 label files of SegDataset train belong to no image')
    assert 'labels/train/4.png' in line


def test_a_list_leaves_out_masks(start, fruit):
    """If it fails, VOC's list of some of its images is warned of at every start."""
    (fruit / 'train.txt').write_text('1\n2\n3\n')
    assert start(**{'data.train.ann_file': 'train.txt'}) == []


def test_test_images_that_are_training_images(start, fruit):
    """If it fails, a network is praised for what it has learned by heart."""
    for kind in ('images', 'labels'):
        shutil.copy(fruit / kind / 'train/1.png', fruit / kind / 'val/7.png')
    [line] = start()
    assert line.startswith('1 of the 3 images of SegDataset val are training images too')
    assert "for instance '7'" in line
    [line] = start(**{'data.test.split': 'train'})
    assert line.startswith('4 of the 4 images of SegDataset train are')


@pytest.mark.parametrize(('split', 'seed', 'warned'), [('train', 0, True), ('train', 1, False)])
def test_pictures_that_are_drawn_twice(start, split, seed, warned):
    """If it fails, the same is not said of pictures in memory."""
    shapes = dict(type='ShapesDataset', length=32, size=32)
    lines = start(
        **{
            'data.train': dict(shapes, split='train', seed=0),
            'data.test': dict(shapes, split=split, seed=seed),
            'protocol.name': '4-1',
        }
    )
    assert [line[:28] for line in lines] == ['32 of the 32 images of Shapes'[:28]] * warned


def test_a_class_that_no_image_shows(start, fruit):
    """If it fails, the table has a row of a class that nothing was learned of."""
    write_all(fruit, {'train': {'1': [0, 1], '3': [0, 3]}, 'val': MASKS['val']})
    [line] = start()
    assert line.startswith("step 0 learns 'b' from no image: none of SegDataset train shows it")
    assert 'make_label_reader' not in line, 'the last class is there'


def test_a_class_whose_images_the_setting_leaves_out(start, fruit):
    """If it fails, a class is never learned though images show it."""
    write_all(fruit, {'train': {'1': [0, 1], '2': [2, 3], '3': [0, 3]}, 'val': MASKS['val']})
    with pytest.raises(InvalidInputError, match="step 0 has no training image with 'b': in .*disj"):
        start(**{'protocol.setting': 'disjoint'})
    assert start() == []


@pytest.mark.parametrize(('name', 'is_error'), [('1-2', False), ('2-1', True)])
def test_ids_that_start_at_0_for_a_class(start, fruit, name, is_error):
    """If it fails, the first class is taken for background, and every other for the next one."""
    masks = {
        split: {key: [i - 1 for i in ids if i] for key, ids in of_split.items()}
        for split, of_split in MASKS.items()
    }
    write_all(fruit, masks)
    expected = 'hold the ids 0 to 2, but never 3: .* make_label_reader'
    if is_error:
        with pytest.raises(InvalidInputError, match=expected):
            start(**{'protocol.name': name})
    else:
        lines = start(**{'protocol.name': name})
        assert re.search(expected, lines[0]) and "'c' from no image" in lines[0]
        assert "shows 'c': there is no IoU" in lines[1]


@pytest.mark.parametrize('ids', [[0, 0], [255, 0], [255, 255]])
def test_a_test_without_classes(start, fruit, ids):
    """If it fails, a training ends with a table of dashes."""
    write_all(fruit, {'train': MASKS['train'], 'val': {'5': ids}})
    with pytest.raises(InvalidInputError, match="no image of SegDataset val shows .*'a', 'b', 'c'"):
        start()


def test_a_test_that_lacks_a_class(start, fruit):
    """If it fails, means over fewer classes are taken for means over all."""
    write_all(fruit, {'train': MASKS['train'], 'val': {'5': [0, 1, 2]}})
    [line] = start()
    assert line.startswith("no image of SegDataset val shows 'c': there is no IoU")


@pytest.mark.parametrize(
    ('method', 'options', 'message'),
    [
        ('mib', {'method.distillation.logits.loss_weight': 0}, 'logits.loss_weight is 0: the part'),
        ('mib', {'method.distillation.logits.loss_weight': 1e-300}, 'loss_weight is 1e-300: the'),
        ('ewc', {'method.hooks.ewc.loss_weight': 0.0}, 'method.hooks.ewc.loss_weight is 0.0'),
        ('mib', {'method.loss_decode.loss_weight': 0}, 'nothing is learned from the labels'),
        (
            'mib',
            {'schedule.poly_power': 0},
            'schedule.poly_power=0: the learning rate of step 0 never falls',
        ),
        ('mib', {'schedule.poly_power': 0.0, 'warmup_epochs': 1, 'epochs': 2}, 'poly_power=0.0: '),
        (
            'mib',
            {'schedule.lr_schedule': dict(type='ConstantLR', factor=1.0)},
            'never falls: it is 0.05 at the start and 0.05 at the end',
        ),
        ('mib', {'schedule.poly_power': 1e300}, 'below 1e-12 for half of its iterations'),
        (
            'mib',
            {'data.test.exif': 'ignore'},
            "data.train.exif is 'apply', data.test.exif 'ignore'",
        ),
        ('mib', {'data.train.value_range': [0, 9]}, 'data.train.value_range is [0, 9], data.test'),
        ('mib', {'batch_size': 3}, 'batch_size is 3, but step 1 has 2 training images'),
        (
            'mib',
            {'batch_size': 30},
            'batch_size is 30, but step 0 has 3, step 1 has 2 training images',
        ),
    ],
)
def test_settings_that_few_people_mean(start, method, options, message):
    """If it fails, a setting without effect, or with an odd one, is noticed in the results."""
    [line] = start(method, **options)
    assert message in line


def test_a_memory_fills_a_batch(start):
    """If it fails, replay is warned of a batch that it fills."""
    memory = dict(size=2, strategy='random')
    assert start(batch_size=4, **{'method.memory': memory})[0].startswith(
        'batch_size is 4, but step 0 has 3 training'
    )
    assert start(batch_size=3, **{'method.memory': memory}) == []


def test_a_finished_run_is_not_checked_again(tiny, tmp_path, recwarn):
    """If it fails, --resume of a finished run cannot show its table after the data changed."""
    config = tiny(**{'protocol.name': 'offline', 'batch_size': 64})
    train_protocol(config, tmp_path / 'run', reuse=False)
    assert any('batch_size is 64' in str(each.message) for each in recwarn)
    recwarn.clear()
    train_protocol(config, tmp_path / 'run', resume=True, reuse=False)
    assert not [each for each in recwarn if 'batch_size' in str(each.message)]


@pytest.mark.parametrize('partly', [False, True])
def test_a_missing_mask(start, fruit, partly):
    """If it fails, a mask that the test lacks is found after step 0."""
    (fruit / 'labels/val/6.png').unlink()
    with pytest.raises(
        MissingFileError, match="1 of the 2 test images .*'6'" if partly else '6.png'
    ):
        start(**({'data.test.partly_labelled': True} if partly else {}))
