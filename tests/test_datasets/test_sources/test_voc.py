"""VOC: its layout, its classes, and the list of training images that everybody uses."""

import pytest

from incseg.datasets import VOCDataset
from incseg.datasets.sources import voc as voc_aug_list
from incseg.errors import InvalidInputError, MissingFileError


def test_layout_of_the_devkit(make_voc):
    """Masks come from SegmentationClassAug; SegmentationClass lacks 9 of 10 images."""
    root = make_voc(train_aug={'2008_1': [[0, 20]], '2007_9': [[255, 3]]}, val={'2007_1': [[15]]})
    dataset = VOCDataset(str(root), 'train_aug')
    assert dataset.image_ids == ['2008_1', '2007_9']
    assert dataset.get_data_info(0)['img_path'] == str(root / 'JPEGImages/2008_1.jpg')
    assert dataset.get_data_info(0)['seg_map_path'] == str(root / 'SegmentationClassAug/2008_1.png')
    presence = dataset.presence(num_workers=1, progress=False)
    assert [row.nonzero()[0].tolist() for row in presence] == [[0, 20], [3]]
    assert VOCDataset(str(root), 'val').image_ids == ['2007_1']


def test_classes():
    """Ids are positions in this list: alphabetical, background first, as published."""
    classes = VOCDataset.METAINFO['classes']
    assert len(classes) == 21 and classes[0] == 'background'
    assert list(classes[1:]) == sorted(classes[1:])
    assert classes[15] == 'person' and VOCDataset.METAINFO['palette'][15] == [192, 128, 128]


def test_train_aug_is_made_when_its_list_is_missing(make_voc, write_label, write_image):
    """(train ∪ aug) without val: an image of val in training would inflate every number."""
    root = make_voc(train={'a': [[1]], 'b': [[2]]}, val={'v': [[1]]})
    (root / 'ImageSets/Segmentation/aug.txt').write_text('c\nv\na\n')
    write_image(root / 'JPEGImages/c.jpg', (1, 1))
    write_label(root / 'SegmentationClassAug/c.png', [[3]])
    assert VOCDataset(str(root), 'train_aug').image_ids == ['a', 'b', 'c']


def test_missing_image_and_list(make_voc):
    """Says the path, and that the masks are a separate download."""
    root = make_voc(train_aug={'a': [[1]]}, val={'v': [[1]]})
    (root / 'JPEGImages/a.jpg').unlink()
    with pytest.raises(MissingFileError, match=r"image '.*JPEGImages/a\.jpg' does not exist.*SBD"):
        VOCDataset(str(root), 'train_aug')
    with pytest.raises(MissingFileError, match=r"image list '.*/nope\.txt' does not exist"):
        VOCDataset(str(root), 'nope')


def test_id_out_of_range(make_voc):
    """VOC has ids up to 20; 21 is a mask of something else."""
    root = make_voc(train_aug={'a': [[21]]})
    with pytest.raises(InvalidInputError, match=r"a\.png' has an id .* 21 .*0\.\.20 and void 255"):
        VOCDataset(str(root), 'train_aug').presence(num_workers=1, progress=False)


@pytest.fixture
def lists(tmp_path):
    """Write lists below a VOC folder or SBD's: ``lists(train=[…], **{'sbd/val': […]})``."""
    voc = tmp_path / 'data' / 'VOCdevkit' / 'VOC2012'
    voc.mkdir(parents=True)
    sbd = tmp_path / 'data' / 'benchmark_RELEASE' / 'dataset'
    sbd.mkdir(parents=True)

    def write(**names):
        for name, ids in names.items():
            folder = sbd if name.startswith('sbd_') else voc
            text = ''.join(f'{i}\n' for i in ids)
            (folder / f'{name.removeprefix("sbd_")}.txt').write_text(text)
        return voc

    return write


def made(voc, sbd_root=None):
    return voc_aug_list.voc_aug_ids(f'{voc}/{{split}}.txt', str(voc), sbd_root, 'HOW')


def numbered(start, stop):
    return [f'{i:06d}' for i in range(start, stop)]


def test_standard_sizes_give_10582_without_a_warning(lists, monkeypatch):
    """The real sizes: VOC train 1,464 and val 1,449, SBD 8,498 + 2,857, 12,031 in all.  If the
    union or the exclusion is wrong, the count is."""
    warned = []
    monkeypatch.setattr(voc_aug_list, 'print_log', lambda text, **_: warned.append(text))
    train, val = numbered(0, 1464), numbered(1464, 2913)
    sbd = numbered(676, 12031)  # 11,355 images: all of VOC but 676 of train
    voc = lists(train=train, val=val, sbd_train=sbd[:8498], sbd_val=sbd[8498:])
    ids = made(voc)
    assert len(ids) == 10582 and not warned
    assert set(ids) == set(train + sbd) - set(val) and ids == sorted(ids)


def test_mmseg_aug_list_is_preferred_and_an_odd_count_warned_of(lists, monkeypatch):
    """A silent odd count would be published as VOC."""
    warned = []
    monkeypatch.setattr(voc_aug_list, 'print_log', lambda text, **_: warned.append(text))
    voc = lists(train=['a', 'b'], val=['v'], aug=['c', 'v'], sbd_train=['x'], sbd_val=['y'])
    assert made(voc) == ['a', 'b', 'c']
    assert len(warned) == 1 and 'has 3 images instead of the usual 10582' in warned[0]


def test_existing_list_is_taken_as_it_is(lists):
    """Order and content of the user's own list are theirs."""
    assert made(lists(train_aug=['z', 'a'])) == ['z', 'a']


def test_sbd_root_is_an_option(lists, tmp_path):
    """SBD may lie anywhere."""
    voc = lists(train=['a'], val=['v'])
    for name in ('train', 'val'):
        (tmp_path / f'{name}.txt').write_text(f'sbd_{name}\n')
    assert made(voc, str(tmp_path)) == ['a', 'sbd_train', 'sbd_val']


def test_every_place_looked_at_is_named(lists):
    """Three ways to have the list: the message lists all three and how to get the data."""
    with pytest.raises(MissingFileError) as error:
        made(lists(train=['a'], val=['v'], sbd_train=['x']))
    text = str(error.value)
    assert '\n' not in text and text.endswith('HOW')
    for part in ('train_aug.txt', 'aug.txt', "dataset/train.txt' and 'val.txt'", 'sbd_root'):
        assert part in text
