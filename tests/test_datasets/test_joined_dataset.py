import numpy as np
import pytest

from incseg.datasets import JoinedDataset, SegDataset
from incseg.datasets.label_maps.reader import LabelReader
from incseg.errors import InvalidInputError


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
    with pytest.raises(InvalidInputError, match="Greek has the class 'beta', but Both has no"):
        Both(both.data_root, 'greek')
