import numpy as np
import pytest

from incseg.datasets import SegDataset
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
    with pytest.raises(InvalidInputError, match='listed twice in split train.train|split is empty'):
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
    assert "empty' has no .jpg or .png file" in message(data_prefix=empty_images)


def test_foreign_id_stops_the_scan(root, write_label):
    """The scan is the first to see every mask: the file and the id are named there."""
    write_label(root / 'labels/train/b.png', [[0, 3], [0, 0]])
    with pytest.raises(InvalidInputError, match=r"b\.png' has an id outside the data set: 3 \(1"):
        SegDataset(str(root), metainfo=META).presence(num_workers=1, progress=False)


@pytest.mark.parametrize(
    ('meta', 'message'),
    [
        (dict(), r'classes of SegDataset is \(\)'),
        (dict(classes=('cat', 'dog')), "allowed is 'background' followed by"),
        (dict(classes=('background', 'cat', 'cat')), 'none twice'),
        (dict(classes=('background', 'cat'), palette=[[0, 0, 0]]), 'has 1 colours'),
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
