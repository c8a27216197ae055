"""ADE20K in its published layout, on files made here."""

import numpy as np
import pytest

from incseg.apis import load_config
from incseg.datasets import ADE20KDataset
from incseg.engine import Experiment
from incseg.engine.recipe.data import dataset_config
from incseg.errors import InvalidInputError, MissingFileError
from incseg.registry import DATASETS
from tests.conftest import CONFIGS


@pytest.fixture
def root(tmp_path, write_image, write_label):
    masks = {'training': {'ADE_train_1': [[0, 1, 150]], 'ADE_train_2': [[101, 101, 0]]}}
    masks['validation'] = {'ADE_val_1': [[0, 1, 150]], 'ADE_val_2': [[101, 120, 0]]}
    for split, of_split in masks.items():
        for name, ids in of_split.items():
            write_image(tmp_path / f'images/{split}/{name}.jpg', np.shape(ids))
            write_label(tmp_path / f'annotations/{split}/{name}.png', ids, palette=False)
    return tmp_path


def test_names():
    """The names are those of the benchmark, in the order of its ids."""
    classes = ADE20KDataset.METAINFO['classes']
    assert len(classes) == len(set(classes)) == 151
    places = {1: 'wall', 13: 'person', 21: 'car', 57: 'pool table', 90: 'television receiver'}
    places |= {100: 'buffet', 101: 'poster', 150: 'flag'}
    assert {i: classes[i] for i in places} == places


def test_steps(root):
    """If it fails, "other" is learned as a class, or tested, or images go to the wrong step."""
    config = load_config(
        CONFIGS / 'mib/bisenet_r101_ade20k_100-50.py', {'data_root': str(root), 'pretrained': False}
    )
    experiment = Experiment(config)
    assert [len(experiment.sources.new(k)) for k in (0, 1)] == [100, 50]
    train = [DATASETS.build(dataset_config(experiment, k, 'train')) for k in (0, 1)]
    assert [d.image_ids for d in train] == [['ADE_train_1'], ['ADE_train_1', 'ADE_train_2']]
    assert train[0].label_lut[[0, 1, 150]].tolist() == [0, 1, 0]
    test = DATASETS.build(dataset_config(experiment, 1, 'test'))
    ids = test.dataset.label_reader(test.dataset.entries()[0]['seg_map_path'])
    assert test.label_lut[ids].tolist() == [[255, 1, 150]]


@pytest.mark.parametrize(
    ('protocol', 'steps'), [('100-10', 6), ('100-5', 11), ('50-50', 3), ('100-50', 2)]
)
def test_published_protocols(protocol, steps):
    config = load_config(CONFIGS / f'plop/bisenet_r101_ade20k_{protocol}.py')
    assert Experiment(config).num_steps == steps


def test_what_is_missing(tmp_path, root, write_label):
    with pytest.raises(MissingFileError, match='ADEChallengeData2016.zip'):
        ADE20KDataset(str(tmp_path / 'none'))
    write_label(root / 'annotations/training/ADE_train_2.png', [[151, 0, 0]])
    with pytest.raises(InvalidInputError, match='outside the data set: 151'):
        ADE20KDataset(str(root), 'training').presence(1, False)
