from pathlib import Path

import numpy as np
import pytest

from incseg.datasets import CamVidDataset, IncrementalDataset, LoadImage, LoadLabels
from incseg.errors import InvalidInputError, MissingFileError

REAL = Path(__file__).parents[3] / '../shared/data/camvid'
# images of train that show each class, then void; from the data's README
TRAIN_COUNTS = [366, 365, 366, 367, 349, 319, 351, 173, 360, 317, 201]
real = pytest.mark.skipif(not REAL.is_dir(), reason=f'the CamVid images are not in {REAL}')


@real
def test_real_sizes_and_class_counts():
    """The published split, shifted by one: 367/101/233 images, class counts of the README."""
    sizes = {s: len(CamVidDataset(str(REAL), s)) for s in ('train', 'val', 'test')}
    assert sizes == dict(train=367, val=101, test=233)
    assert len(CamVidDataset(str(REAL), ['train', 'val'])) == 468
    presence = CamVidDataset(str(REAL), 'train').presence(progress=False)
    assert presence.sum(0).tolist() == [0, *TRAIN_COUNTS]


@real
def test_real_sample_has_ids_1_to_11():
    """Sky is 1, not 0: as 0 it would be trained as background."""
    dataset = CamVidDataset(str(REAL), 'test')
    ids = set()
    for index in range(0, 233, 40):
        results = LoadLabels()(LoadImage()(dataset.get_data_info(index)))
        assert results['img'].shape == (360, 480, 3)
        ids |= set(np.unique(results['gt_seg_map']).tolist())
    assert ids == {*range(1, 12), 255}


@real
def test_real_disjoint_is_empty():
    """Every image holds classes of later steps; the error says so and what to do."""
    with pytest.raises(InvalidInputError) as error:
        IncrementalDataset(
            CamVidDataset(str(REAL), 'train'), dict(base=2, increment=2, setting='disjoint'), 0, []
        )
    assert str(error.value) == (
        "step 0 has no training image in setting 'disjoint': all 367 images of CamVidDataset that "
        'show its classes (1 Sky, 2 Building) also show classes of later steps; use '
        "setting='overlap', another class_order, or larger steps"
    )


def test_generated(tmp_path, write_label, write_image):
    """The shift by one and void, on files made here: 0..10 → 1..11, 11 and 255 → 255."""
    write_image(tmp_path / 'images/train/x.jpg', (1, 13))
    write_label(tmp_path / 'labels/train/x.png', [[*range(12), 255]], palette=False)
    dataset = CamVidDataset(str(tmp_path), 'train')
    label = LoadLabels()(LoadImage()(dataset.get_data_info(0)))['gt_seg_map']
    assert label.tolist() == [[*range(1, 12), 255, 255]]
    assert dataset.presence(1, False).tolist() == [[False] + [True] * 11]
    assert dataset.metainfo['classes'][8] == 'Fence'


def test_errors(tmp_path, write_label, write_image):
    """Id 12 does not exist in CamVid; a missing folder says where the data come from."""
    write_image(tmp_path / 'images/train/x.jpg', (1, 1))
    write_label(tmp_path / 'labels/train/x.png', [[12]], palette=False)
    with pytest.raises(InvalidInputError, match=r'12 \(1 pixels\).*0\.\.10 and void 11, 255'):
        CamVidDataset(str(tmp_path), 'train').presence(1, False)
    with pytest.raises(
        MissingFileError,
        match="the folders beside it are 'train'; get CamVid",
    ):
        CamVidDataset(str(tmp_path), 'test')
