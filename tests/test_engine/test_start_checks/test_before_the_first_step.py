"""What is wrong with the data is said before the first step is trained, not hours later."""

import re
import shutil
from importlib import import_module

import numpy as np
import pytest
from PIL import Image

from incseg.engine import train_protocol
from incseg.errors import InvalidInputError, MissingFileError
from incseg.utils import file_digests
from incseg.utils.pictures import sizes
from tests.test_engine.test_start_checks.conftest import MASKS, write_all


def test_nothing_is_wrong(start):
    """If it fails, everybody learns to overlook warnings."""
    assert start() == []


def foreign(path):
    Image.fromarray(np.full((6, 8), 77, np.uint8)).save(path)


def other_size(path):
    Image.fromarray(np.zeros((8, 6), np.uint8)).save(path)


def cut(path):
    path.write_bytes(path.read_bytes()[:-20])


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


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
        ('images', flipped, 'checksum of chunk .* is wrong'),
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
    assert 'file_ids' not in line, 'the last class is there'


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
    expected = 'hold the ids 0 to 2, but never 3: .* file_ids'
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
    with pytest.raises(InvalidInputError, match='all 1 images of SegDataset val hold no class'):
        start()


def test_a_test_that_lacks_a_class(start, fruit):
    """If it fails, means over fewer classes are taken for means over all."""
    write_all(fruit, {'train': MASKS['train'], 'val': {'5': [0, 1, 2]}})
    [line] = start()
    assert line.startswith("no image of SegDataset val shows 'c': there is no IoU")


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


def test_a_test_of_binary_masks(start, fruit):
    """If it fails, masks of 0 and 255 are answered with advice to name another split."""
    write_all(fruit, {'train': MASKS['train'], 'val': {'5': [0, 255], '6': [255]}})
    with pytest.raises(InvalidInputError, match='all 2 images of SegDataset val hold no class, on'):
        start()
