"""Cityscapes in its published layout, on files made here."""

import numpy as np
import pytest

from incseg.apis import load_config
from incseg.datasets import CityscapesDataset
from incseg.engine import Experiment
from incseg.errors import MissingFileError
from tests.conftest import CONFIGS

CLASSES = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)


@pytest.fixture
def root(tmp_path, write_image, write_label):
    ids = [[*range(34), 255]]
    for city, split in (('aachen', 'train'), ('ulm', 'train'), ('munster', 'val')):
        name = f'{split}/{city}/{city}_000000_000019'
        write_image(tmp_path / f'leftImg8bit/{name}_leftImg8bit.png', np.shape(ids))
        for kind in ('labelIds', 'instanceIds', 'color'):
            write_label(tmp_path / f'gtFine/{name}_gtFine_{kind}.png', ids, palette=False)
    return tmp_path


def test_ids(root):
    """If it fails, the published ids are read as other classes, or void is learned."""
    dataset = CityscapesDataset(str(root))
    assert dataset.image_ids == ['aachen/aachen_000000_000019', 'ulm/ulm_000000_000019']
    labels = dataset.label_reader(dataset.entries()[1]['seg_map_path'])[0].tolist()
    expected = [CLASSES.index(i) + 1 if i in CLASSES else 255 for i in range(34)]
    assert labels == [*expected, 255]
    assert dataset.metainfo['classes'][1] == 'road' and dataset.metainfo['classes'][19] == 'bicycle'
    assert dataset.metainfo['palette'][14] == [0, 0, 142]
    assert not dataset.presence(1, False)[:, 0].any() and dataset.unused_label_maps() == []


def test_train_ids(root, write_label):
    """If it fails, the files of train ids are read as labelIds: most classes are void or others."""
    ids = [[*range(19), 255]]
    name = 'train/aachen/aachen_000000_000019_gtFine_labelTrainIds.png'
    write_label(root / f'gtFine/{name}', ids, palette=False)
    dataset = CityscapesDataset(
        str(root), seg_map_suffix='_gtFine_labelTrainIds.png', lazy_init=True
    )
    labels = dataset.label_reader(str(root / f'gtFine/{name}'))[0].tolist()
    assert labels == [*range(1, 20), 255]


@pytest.mark.parametrize(
    ('protocol', 'sizes'), [('11-5', [11, 5, 3]), ('11-1', [11, 1, 1, 1, 1, 1, 1, 1, 1])]
)
def test_protocols(protocol, sizes):
    experiment = Experiment(load_config(CONFIGS / f'mib/bisenet_r101_cityscapes_{protocol}.py'))
    steps = range(experiment.num_steps)
    assert [len(experiment.sources.new(k)) for k in steps] == sizes


def test_what_is_missing(tmp_path):
    with pytest.raises(MissingFileError, match='gtFine_trainvaltest.zip'):
        CityscapesDataset(str(tmp_path / 'none'))
