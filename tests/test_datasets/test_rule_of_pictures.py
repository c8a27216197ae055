"""One rule reads all pictures of a data set: orientation and depth, through every door."""

import warnings

import numpy as np
import pytest
from PIL import Image

from incseg.datasets import (
    JoinedDataset,
    NegativeFolder,
    SegDataset,
    WeakDataset,
    picture_files,
    read_label_file,
)
from incseg.datasets.transforms import label_fit
from incseg.errors import InvalidInputError
from incseg.protocols import Protocol

META = dict(classes=('background', 'mark', 'other'))
PIPELINE = [dict(type='LoadImage'), dict(type='LoadLabels'), dict(type='PackSegInputs')]


@pytest.fixture(autouse=True)
def _nothing_told(monkeypatch):
    monkeypatch.setattr(picture_files, 'doubtful', [])
    monkeypatch.setattr(label_fit, 'doubtful', picture_files.doubtful)


@pytest.fixture
def marked(tmp_path, write_label):
    """A data set with one picture, white where its mask has class 1 as a viewer shows it."""

    def make(orientation, masks='shown', size=(8, 12), ending='.png'):
        stored = np.zeros((*size, 3), np.uint8)
        stored[:3, :5] = 255
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / f'set/images/train/a{ending}'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(stored).save(path, exif=exif)
        turns = {3: lambda x: x[::-1, ::-1], 6: lambda x: np.rot90(x, -1)}
        shown = turns[orientation](stored)
        mask = (shown if masks == 'shown' else stored)[..., 0] // 255
        write_label(tmp_path / 'set/labels/train/a.png', np.ascontiguousarray(mask))
        return str(tmp_path / 'set')

    return make


def overlap(dataset):
    """IoU of the white pixels and the mask."""
    sample = dataset[0]
    white, mask = sample['inputs'][0] > 128, sample['data_samples'].gt_sem_seg.data[0] == 1
    return float((white & mask).sum() / (white | mask).sum())


@pytest.mark.parametrize('ending', ['.png', '.jpg', '.tif'])
@pytest.mark.parametrize('masks', ['shown', 'stored'])
@pytest.mark.parametrize('orientation', [3, 6])
def test_masks_lie_on_their_pictures(marked, orientation, masks, ending):
    """If it fails, labels have IoU 0 with the picture that they were drawn on."""
    exif = 'apply' if masks == 'shown' else 'ignore'
    root = marked(orientation, masks, ending=ending)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        dataset = SegDataset(root, 'train', PIPELINE, metainfo=META, exif=exif, img_suffix=ending)
        assert overlap(dataset) > 0.9


@pytest.mark.parametrize(
    ('masks', 'exif', 'message'),
    [
        ('stored', 'apply', "turned as its EXIF orientation 6 says.*set the data set's exif='igno"),
        ('shown', 'ignore', "its EXIF orientation 6 turns it: set exif='apply'"),
    ],
)
def test_the_size_error_names_the_tag(marked, masks, exif, message):
    """If it fails, the error leaves the user to find out that the picture lies on its side."""
    dataset = SegDataset(marked(6, masks), 'train', PIPELINE, metainfo=META, exif=exif)
    with pytest.raises(InvalidInputError, match=f'size of label map.*{message}') as error:
        dataset[0]
    assert '\n' not in str(error.value)


def test_another_size_has_another_cause(marked, write_label, tmp_path):
    """The tag is not blamed where no turn would make the sizes fit."""
    root = marked(6)
    write_label(tmp_path / 'set/labels/train/a.png', np.zeros((5, 5)))
    with pytest.raises(InvalidInputError, match='size of label map') as error:
        SegDataset(root, 'train', PIPELINE, metainfo=META)[0]
    assert 'EXIF' not in str(error.value)


@pytest.mark.parametrize(
    ('orientation', 'size', 'exif', 'told'),
    [
        (3, (8, 12), 'apply', True),
        (6, (8, 8), 'apply', True),
        (6, (8, 12), 'apply', False),
        (3, (8, 12), 'ignore', False),
    ],
)
def test_doubt_is_told_once(marked, orientation, size, exif, told):
    """Where sizes fit either way, a user hears which way was taken; where they prove it, not."""
    dataset = SegDataset(
        marked(orientation, size=size), 'train', PIPELINE, metainfo=META, exif=exif
    )
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter('always')
        for _ in range(2):
            dataset[0]
    texts = [str(each.message) for each in found if 'EXIF' in str(each.message)]
    assert len(texts) == told and all("exif='ignore'" in text for text in texts)


def test_doubt_is_told_before_a_picture_is_decoded(marked):
    """If it fails, a user hears of turned test pictures after the first step is trained."""
    dataset = SegDataset(marked(3, ending='.jpg'), 'train', PIPELINE, metainfo=META)
    with pytest.warns(UserWarning, match=r"a.jpg' is turned as its EXIF orientation 3"):
        dataset.check_files()
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        dataset[0]
        SegDataset(dataset.data_root, metainfo=META, exif='ignore').check_files()


def test_depth(tmp_path, write_label):
    """12 bits are refused with the way on, or scaled by the data set's argument."""
    path = tmp_path / 'images/train/a.png'
    path.parent.mkdir(parents=True)
    Image.fromarray(np.array([[0, 4095]], np.uint16)).save(path)
    write_label(tmp_path / 'labels/train/a.png', [[0, 1]])
    with pytest.raises(InvalidInputError, match=r'a.png.*value_range.*\[0, 4095\]'):
        SegDataset(str(tmp_path), 'train', PIPELINE, metainfo=META)[0]
    dataset = SegDataset(str(tmp_path), 'train', PIPELINE, metainfo=META, value_range=[0, 4095])
    assert dataset[0]['inputs'][0].tolist() == [[0, 255]]
    with pytest.raises(InvalidInputError, match='value_range is 12'):
        SegDataset(str(tmp_path), metainfo=META, value_range=12)


class Joined(JoinedDataset):
    METAINFO = META
    rule_of_part: dict = {}

    def make_part(self, split):
        return SegDataset(self.data_root, split, metainfo=META, **self.rule_of_part), np.arange(1)


def test_joined_data_sets(marked):
    """A part's rule holds, and the joined data set's own goes before it."""
    root = marked(6, 'stored')
    assert overlap(Joined(root, 'train', PIPELINE, exif='ignore')) == 1
    with pytest.raises(InvalidInputError, match='EXIF orientation 6'):
        Joined(root, 'train', PIPELINE)[0]
    Joined.rule_of_part = dict(exif='ignore')
    try:
        assert overlap(Joined(root, 'train', PIPELINE)) == 1
    finally:
        Joined.rule_of_part = {}


def test_negatives_follow_the_data_set(marked, tmp_path, write_image):
    """If it fails, negatives are turned and the step's pictures are not.  A .JPG counts too."""
    root = marked(6, 'stored')
    write_image(tmp_path / 'negatives/n.JPG', (8, 12))
    (tmp_path / 'negatives/a.png').write_bytes((tmp_path / 'set/images/train/a.png').read_bytes())
    pipeline = [PIPELINE[0], PIPELINE[2]]
    for exif, size in (('ignore', (8, 12)), ('apply', (12, 8))):
        dataset = WeakDataset(
            SegDataset(root, metainfo=META, exif=exif),
            Protocol(2, 2, 1),
            0,
            pipeline,
            negatives=NegativeFolder(str(tmp_path / 'negatives')),
        )
        assert dataset[1]['inputs'].shape[1:] == size and len(dataset) == 3


@pytest.mark.parametrize('ending', ['.png', '.tif'])
def test_a_label_map_with_a_tag(tmp_path, ending):
    """If it fails, ids lie where one tool shows them and not where another does."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((3, 5), np.uint8)).save(tmp_path / f'm{ending}', exif=exif)
    with pytest.raises(InvalidInputError, match=f'm{ending}. has EXIF orientation 6, which one'):
        read_label_file(tmp_path / f'm{ending}')
