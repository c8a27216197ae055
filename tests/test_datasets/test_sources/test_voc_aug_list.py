import pytest

from incseg.datasets.sources import voc as voc_aug_list
from incseg.errors import MissingFileError


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
