"""The images of a data set, their files, and messages about what is missing."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from incseg.datasets import SegDataset, image_lists, list_files
from incseg.errors import InvalidInputError, MissingFileError

META = dict(classes=('background', 'cat', 'dog'), palette=[[0, 0, 0], [9, 9, 9], [8, 8, 8]])
MASKS = {'b': [[0, 1], [1, 1]], 'a': [[0, 0], [0, 255]], 'c': [[2, 2], [1, 255]]}


@pytest.fixture
def root(tmp_path, write_label, write_image):
    for name, ids in MASKS.items():
        write_image(tmp_path / 'd' / 'images' / 'train' / f'{name}.png', (2, 2))
        write_label(tmp_path / 'd' / 'labels' / 'train' / f'{name}.png', ids)
    return tmp_path / 'd'


def test_folder_is_read_in_order(root):
    """Order must not depend on the file system, or seeds mean nothing."""
    dataset = SegDataset(str(root), metainfo=META)
    assert dataset.image_ids == ['a', 'b', 'c'] and len(dataset) == 3
    assert dataset.num_classes == 2
    info = dataset.get_data_info(1)
    assert info['image_id'] == 'b' and info['seg_fields'] == []
    assert info['img_path'] == str(root / 'images/train/b.png')
    assert info['seg_map_path'] == str(root / 'labels/train/b.png')


def test_files_that_macos_leaves(root):
    """If it fails, `._a.png` is a picture of its own, which nothing can read."""
    for kind in ('images', 'labels'):
        (root / kind / 'train/._a.png').write_bytes(b'Mac OS X')
    assert SegDataset(str(root), metainfo=META).image_ids == ['a', 'b', 'c']


def test_presence_counts_classes_not_void(root):
    """Protocols select images from this table; column = dataset id, void is no class."""
    presence = SegDataset(str(root), metainfo=META).presence(num_workers=1, progress=False)
    assert presence.dtype == np.bool_
    np.testing.assert_array_equal(presence, [[1, 0, 0], [1, 1, 0], [0, 1, 1]])


def test_partly_labelled(root):
    """Without it a missing mask is an error; with it the image shows nothing, and only a pipeline
    that loads labels stumbles over it, by its path."""
    assert SegDataset(str(root), metainfo=META).has_mask.tolist() == [True] * 3
    (root / 'labels/train/b.png').unlink()
    with pytest.raises(MissingFileError, match=r"b.png' does not exist \(1 of 3"):
        SegDataset(str(root), metainfo=META)
    dataset = SegDataset(
        str(root),
        metainfo=META,
        partly_labelled=True,
        pipeline=[dict(type='LoadImage'), dict(type='LoadLabels'), dict(type='PackSegInputs')],
    )
    assert dataset.has_mask.tolist() == [True, False, True]
    np.testing.assert_array_equal(dataset.presence(1, False), [[1, 0, 0], [0, 0, 0], [0, 1, 1]])
    assert len(dataset.file_states()) == 5 and len(dataset.file_states([1])) == 1
    assert dataset[0]['data_samples'].gt_sem_seg.data.shape == (1, 2, 2)
    with pytest.raises(MissingFileError, match='labels/train/b.png'):
        dataset[1]


def test_presence_follows_indices(root):
    """mmengine's ``indices`` cuts the data set; presence must be of the same images."""
    dataset = SegDataset(str(root), metainfo=META, indices=[2, 0])
    assert dataset.image_ids == ['c', 'a']
    np.testing.assert_array_equal(dataset.presence(1, False), [[0, 1, 1], [1, 0, 0]])


def test_stands_alone_with_a_pipeline(root):
    """Used as an mmseg data set it serves dataset ids."""
    pipeline = [dict(type='LoadImage'), dict(type='LoadLabels'), dict(type='PackSegInputs')]
    sample = SegDataset(str(root), pipeline=pipeline, metainfo=META)[2]
    assert sample['inputs'].shape == (3, 2, 2)
    assert sample['data_samples'].gt_sem_seg.data.tolist() == [[[2, 2], [1, 255]]]
    assert sample['data_samples'].image_id == 'c'


def test_joined_splits_and_lists(root, tmp_path, write_label, write_image):
    """Splits are joined in the order given; a list decides the order within one."""
    write_image(root / 'images/val/z.png', (2, 2))
    write_label(root / 'labels/val/z.png', [[0, 0], [0, 0]])
    assert SegDataset(str(root), ['val', 'train'], metainfo=META).image_ids == list('zabc')
    (root / 'val.txt').write_text('c\na\n')
    listed = SegDataset(
        str(root),
        'val',
        metainfo=META,
        ann_file='{split}.txt',
        data_prefix=dict(img_path='images/train', seg_map_path='labels/train'),
    )
    assert listed.image_ids == ['c', 'a']


@pytest.mark.parametrize('splits', [['train', 'train'], []])
def test_bad_splits(root, splits):
    """The same split twice would count its images twice."""
    with pytest.raises(
        InvalidInputError, match='listed twice in split train.train|split is .., expected'
    ):
        SegDataset(str(root), splits, metainfo=META)


def test_missing_parts_are_named_with_the_way_to_get_them(root):
    """Each says which path was looked for; found at once, not when the image's turn comes."""

    def message(**kwargs):
        with pytest.raises(MissingFileError) as error:
            SegDataset(**{'data_root': str(root), 'metainfo': META, **kwargs})
        text = str(error.value)
        assert text.endswith(SegDataset.how_to_get) and '\n' not in text
        return text

    assert f"image folder '{root}/images/test' does not exist" in message(split='test')
    assert f"image list '{root}/x.txt' does not exist" in message(ann_file='x.txt')
    assert f"data_root '{root}/x' does not exist" in message(data_root=f'{root}/x')
    (root / 'labels/train/b.png').unlink()
    assert f"label file '{root}/labels/train/b.png' does not exist (1 of 3" in message()
    (root / 'empty').mkdir()
    assert f"data_root '{root}/empty' is empty" in message(data_root=f'{root}/empty')
    empty_images = dict(img_path='empty', seg_map_path='labels/train')
    assert "empty' has no .jpg or .jpeg or .png file" in message(data_prefix=empty_images)


def test_foreign_id_stops_the_scan(root, write_label):
    """The scan is the first to see every mask: the file and the id are named there."""
    write_label(root / 'labels/train/b.png', [[0, 3], [0, 0]])
    with pytest.raises(InvalidInputError, match=r"b\.png' has an id outside the data set: 3 \(1"):
        SegDataset(str(root), metainfo=META).presence(num_workers=1, progress=False)


@pytest.mark.parametrize(
    ('meta', 'message'),
    [
        (dict(), r'classes of SegDataset is \(\)'),
        (dict(classes=('cat', 'dog')), "expected 'background' followed by"),
        (dict(classes=('background', 'cat', 'cat')), 'none twice'),
        (
            dict(classes=('background', 'cat'), palette=[[0, 0, 0]]),
            'number of colours .* is 1, expected',
        ),
    ],
)
def test_bad_metainfo(root, meta, message):
    """Without the background first, every id is off by one."""
    with pytest.raises(InvalidInputError, match=message):
        SegDataset(str(root), metainfo=meta)


def test_palette_defaults_to_voc_colours(root):
    """A user's data set need not invent colours."""
    dataset = SegDataset(str(root), metainfo=dict(classes=('background', 'x', 'y')))
    assert dataset.metainfo['palette'] == [[0, 0, 0], [128, 0, 0], [0, 128, 0]]


HOW = 'ask the author'


def test_ids_are_relative_and_sorted(tmp_path):
    """Nested folders (Cityscapes) give ids with their folder; an unsorted list is not stable."""
    for name in ('b/2_img.png', 'a/1_img.png', 'c_img.png', 'readme.txt'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert image_lists.ids_in_folder(str(tmp_path), ['_img.png'], HOW) == ['a/1', 'b/2', 'c']


def test_list_skips_blank_lines(tmp_path):
    """Lists from Windows or with a trailing blank line must not yield an id of nothing."""
    (tmp_path / 'l.txt').write_bytes(b'one\r\n\r\ntwo \n\n')
    assert list_files.read_id_list(str(tmp_path / 'l.txt'), HOW) == ['one', 'two']


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'\n \n', 'is empty, expected one image id per line'),
        (b'\xff\xfe\x80', 'cannot be read as text'),
    ],
)
def test_bad_lists_are_named(tmp_path, content, message):
    """An empty or binary list would otherwise surface much later, as an empty step."""
    (tmp_path / 'l.txt').write_bytes(content)
    with pytest.raises(InvalidInputError, match=message):
        list_files.read_id_list(str(tmp_path / 'l.txt'), HOW)


def test_pair_files_reports_the_first_and_how_many(tmp_path):
    """The message says which path was looked for; checked before training, not at epoch 3."""
    for name in ('i/a.jpg', 'i/b.png', 'l/a.png'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    arguments = (tmp_path / 'i', ('.jpg', '.png'), tmp_path / 'l', '.png', HOW)
    pairs = image_lists.pair_files(['a'], *arguments)
    assert pairs == [
        dict(
            image_id='a', img_path=str(tmp_path / 'i/a.jpg'), seg_map_path=str(tmp_path / 'l/a.png')
        )
    ]
    with pytest.raises(MissingFileError) as error:
        image_lists.pair_files(['a', 'b'], *arguments)
    assert str(error.value) == (
        f"label file '{tmp_path / 'l/b.png'}' does not exist (1 of 2 are missing); "
        '2 pictures, 1 masks: 1 pairs; without mask: b; ask the author'
    )
    with pytest.raises(MissingFileError, match=r"image '.*c\.jpg' does not exist \(2 of 3"):
        image_lists.pair_files(['a', 'c', 'd'], *arguments)


def test_split_leaves_other_braces():
    """A data root with braces in its name is a legal path."""
    assert image_lists.at_split('/d{0}/{split}.txt', 'val') == '/d{0}/val.txt'


def test_repeated_image_is_named():
    """An image in the list twice would be trained on and counted twice."""
    with pytest.raises(InvalidInputError, match=r"image 'b' is listed twice in split train\+val"):
        image_lists.check_unique(['a', 'b', 'b'], ['train', 'val'])


def test_roots(tmp_path):
    """Missing, a file and an empty folder are three different mistakes."""
    (tmp_path / 'file').touch()
    (tmp_path / 'empty').mkdir()
    for name, kind, message in (
        ('none', MissingFileError, 'does not exist'),
        ('file', InvalidInputError, 'is no folder'),
        ('empty', MissingFileError, 'is empty'),
    ):
        with pytest.raises(kind, match=f"data_root '.*{name}' {message}; {HOW}"):
            image_lists.check_root(str(tmp_path / name), HOW)
    image_lists.check_root(str(Path(tmp_path)), HOW)


def test_missing_masks_may_be_marked(tmp_path, write_image, write_label):
    """An image without a mask keeps the path where it would be; a missing image stays an error."""
    write_image(tmp_path / 'i/a.jpg')
    write_image(tmp_path / 'i/b.jpg')
    write_label(tmp_path / 'l/a.png', [[0]])
    folders = (tmp_path / 'i', ['.jpg'], tmp_path / 'l', '.png', HOW)
    first, second = image_lists.pair_files(['a', 'b'], *folders, partly_labelled=True)
    assert 'has_mask' not in first
    assert second['has_mask'] is False and second['seg_map_path'] == str(tmp_path / 'l/b.png')
    with pytest.raises(MissingFileError, match=r"image '.*c.jpg' does not exist"):
        image_lists.pair_files(['c'], *folders, partly_labelled=True)


def test_endings_count_without_case(tmp_path):
    """If it fails, pictures of a camera that writes ``.JPG`` are left out in silence."""
    names = ['a.jpg', 'b.JPG', 'c.jpeg', 'd.Jpeg', 'e.PNG']
    for kind in ('images', 'labels'):
        (tmp_path / kind / 'train').mkdir(parents=True)
    for name in names:
        Image.new('RGB', (4, 4)).save(tmp_path / 'images/train' / name)
        label = tmp_path / 'labels/train' / (name[0] + ('.PNG' if name[0] == 'a' else '.png'))
        Image.new('L', (4, 4)).save(label)
    dataset = SegDataset(str(tmp_path), metainfo=dict(classes=('background', 'x')))
    assert dataset.image_ids == list('abcde')
    assert [Path(dataset.get_data_info(i)['img_path']).name for i in range(5)] == names
    assert Path(dataset.get_data_info(0)['seg_map_path']).name == 'a.PNG'
    Image.new('RGB', (4, 4)).save(tmp_path / 'images/train/a.PNG')
    with pytest.raises(InvalidInputError, match="has 'a.PNG' and 'a.jpg', which would share one"):
        SegDataset(str(tmp_path), metainfo=dict(classes=('background', 'x')))
