import numpy as np
import pytest
from PIL import Image

from incseg.datasets import VOCDataset
from incseg.datasets.label_maps.label_file import read_label_file
from incseg.datasets.preparation.sbd_masks import make_sbd_masks
from incseg.errors import InvalidInputError, MissingFileError

savemat = pytest.importorskip('scipy.io').savemat


def write_sbd(path, mask):
    """The layout of SBD's files: a struct GTcls with the field Segmentation."""
    inner = np.empty((1, 1), [('Boundaries', object), ('Segmentation', object)])
    inner[0, 0] = (np.zeros(1), mask)
    savemat(path, {'GTcls': inner})


@pytest.fixture
def downloads(tmp_path):
    """VOC with one train and one val image, SBD with those two and another."""
    voc, sbd = tmp_path / 'VOCdevkit/VOC2012', tmp_path / 'benchmark_RELEASE/dataset'
    for folder in (
        voc / 'ImageSets/Segmentation',
        voc / 'SegmentationClass',
        voc / 'JPEGImages',
        sbd / 'cls',
    ):
        folder.mkdir(parents=True)
    (voc / 'ImageSets/Segmentation/train.txt').write_text('a\n')
    (voc / 'ImageSets/Segmentation/val.txt').write_text('b\n')
    (sbd / 'train.txt').write_text('a\nb\n')
    (sbd / 'val.txt').write_text('c\n')
    for value, name in enumerate('abc', 1):
        Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(voc / f'JPEGImages/{name}.jpg')
        write_sbd(sbd / f'cls/{name}.mat', np.full((4, 5), value + 10, np.uint8))
    for value, name in enumerate('ab', 1):
        mask = np.full((4, 5), value, np.uint8)
        mask[0] = 255
        image = Image.fromarray(mask)
        image.putpalette([0] * 768)
        image.save(voc / f'SegmentationClass/{name}.png')
    return voc, sbd


def test_vocs_own_masks_win(downloads):
    """VOC's masks keep their void borders, SBD fills in the rest, and the data set loads."""
    voc, sbd = downloads
    seen = []
    assert make_sbd_masks(voc, sbd, lambda *state: seen.append(state)) == 3
    assert seen == [(1, 3), (2, 3), (3, 3)]
    masks = {name: read_label_file(voc / f'SegmentationClassAug/{name}.png') for name in 'abc'}
    assert masks['a'][0].tolist() == [255] * 5 and masks['a'][1, 0] == 1
    assert masks['b'][1, 0] == 2
    assert (masks['c'] == 13).all()
    dataset = VOCDataset(str(voc), split='train_aug')
    assert dataset.image_ids == ['a', 'c']
    assert dataset.presence(progress=False)[:, [1, 13]].tolist() == [[True, False], [False, True]]


def test_goes_on_where_it_stopped(downloads):
    """Masks that are there are kept: 12,031 files are not read again."""
    voc, sbd = downloads
    make_sbd_masks(voc, sbd)
    (sbd / 'cls/c.mat').unlink()
    make_sbd_masks(voc, sbd)


def test_what_is_missing_is_named(downloads):
    """A mask that is not there, or is no mask."""
    voc, sbd = downloads
    (sbd / 'cls/c.mat').write_bytes(b'x' * 200)
    with pytest.raises(InvalidInputError, match=r'c\.mat is not a class mask of SBD'):
        make_sbd_masks(voc, sbd)
    (sbd / 'cls/c.mat').unlink()
    with pytest.raises(MissingFileError, match=r'no SBD mask at .*c\.mat'):
        make_sbd_masks(voc, sbd)
    assert not list((voc / 'SegmentationClassAug').glob('.*'))
