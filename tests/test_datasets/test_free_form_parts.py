"""The dicts that a data set takes: classes, colours and folders, and nothing else."""

import numpy as np
import pytest

from incseg.apis.config.check import check_same_classes
from incseg.datasets import SegDataset, ShapesDataset, VOCDataset
from incseg.errors import InvalidInputError

CLASSES = ('background', 'cat', 'dog')
COLOURS = [[0, 0, 0], [200, 0, 0], [0, 0, 200]]


@pytest.mark.parametrize(
    ('palette', 'message'),
    [
        (['#000000', '#ff0000', '#00ff00'], r"colour of 'background' .* is '#000000', expected \["),
        (['black', 'red', 'blue'], "is 'black'"),
        ('viridis', "is 'viridis', expected a list of colours"),
        (dict(cat=[1, 2, 3]), 'expected a list of colours'),
        ([[0, 0, 0], [300, 0, 0], [0, 0, 9]], r"colour of 'cat' .* is \[300, 0, 0\]"),
        ([[0, 0, 0], [-1, 0, 0], [0, 0, 9]], r'\[-1, 0, 0\]'),
        ([[0, 0, 0], [1.0, 0.5, 0], [0, 0, 1.0]], r"'cat' .* is \[1.0, 0.5, 0\]"),
        ([[0, 0, 0], [1.0, 0, 0], [0, 0, 1]], 'not all as dark as 0 and 1'),
        ([[0, 0, 0], [9, 9, 9, 255], [1, 1, 1]], r'is \[9, 9, 9, 255\]'),
        ([[0, 0, 0], [True, 9, 9], [1, 1, 1]], r'is \[True, 9, 9\]'),
        ([[0, 0, 0], [float('nan'), 9, 9], [1, 1, 1]], r'is \[nan, 9, 9\]'),
        ([0, 0, 0], "colour of 'background' .* is 0"),
        ([0, 0, 0, 9, 9, 9, 8, 8, 8], 'number of colours .* is 9, expected one for each of the 3'),
        (5, 'is 5, expected a list'),
    ],
)
def test_colours_that_are_none(palette, message):
    """If it fails, a palette ends in a traceback, or pictures show other colours than it says."""
    with pytest.raises(InvalidInputError, match=message):
        SegDataset.resolve_metainfo(dict(classes=CLASSES, palette=palette))


@pytest.mark.parametrize(
    'palette', [COLOURS, np.array(COLOURS, np.uint8), np.array(COLOURS, float), tuple(COLOURS)]
)
def test_colours_of_any_kind_of_list(palette):
    """If it fails, colours that another library made are refused."""
    assert SegDataset.resolve_metainfo(dict(classes=CLASSES, palette=palette))['palette'] == COLOURS


@pytest.mark.parametrize(
    'classes', [5, None, 'background', [['background'], 'a'], [1, 2], CLASSES[:1]]
)
def test_classes_that_are_none(classes):
    """If it fails, a list of classes ends in a traceback, or its letters are the classes."""
    with pytest.raises(InvalidInputError, match="metainfo.classes of .* expected 'background'"):
        SegDataset.resolve_metainfo(dict(classes=classes))


@pytest.mark.parametrize(
    ('argument', 'value', 'message'),
    [
        ('metainfo', dict(clases=CLASSES), "'metainfo.clases' .*did you mean 'metainfo.classes'"),
        ('metainfo', dict(PALETTE=COLOURS), "unknown key 'metainfo.PALETTE'"),
        ('metainfo', list(CLASSES), 'metainfo is .* expected a dict'),
        ('data_prefix', dict(image_path='x'), "did you mean 'data_prefix.img_path'"),
        ('data_prefix', dict(seg_map_pth='x'), "did you mean 'data_prefix.seg_map_path'"),
        ('data_prefix', dict(img_path=None), 'data_prefix.img_path of .* is None, expected a fold'),
        ('data_prefix', 'images', "data_prefix is 'images', expected a dict"),
        ('filter_cfg', dict(min_size=3), 'ShapesDataset filters nothing'),
    ],
)
def test_a_key_that_nobody_reads(argument, value, message):
    """If it fails, a misspelt key is left out in silence, or found after the first step."""
    with pytest.raises(InvalidInputError, match=message):
        ShapesDataset(length=2, size=16, **{argument: value})
    if argument == 'filter_cfg':  # only an object knows whether its class filters
        return
    for split in ('train', 'test'):
        data = {name: dict(type='ShapesDataset') for name in ('train', 'test')}
        data[split][argument] = value
        with pytest.raises(InvalidInputError, match=f'data.{split}: .*{message}'):
            check_same_classes(data)


@pytest.mark.parametrize('split', [5, [1, 2], [], None])
def test_splits_that_are_no_names(split):
    """If it fails, a number in the place of a split's name ends in a traceback."""
    with pytest.raises(InvalidInputError, match='split is .*, expected the name of a split'):
        SegDataset('x', split, metainfo=dict(classes=CLASSES))


@pytest.mark.parametrize('value', [0, -1, [], [-1], [0.5], 'ab', True, [[1]]])
def test_indices(make_voc, value):
    """If it fails, a number of images that is none is a traceback, or keeps other images."""
    root = str(make_voc(train_aug={'p': [[0]], 'q': [[1]]}))
    with pytest.raises(InvalidInputError, match='indices is '):
        VOCDataset(root, 'train_aug', indices=value)
    assert len(VOCDataset(root, 'train_aug', indices=1)) == 1
    assert VOCDataset(root, 'train_aug', indices=[1]).image_ids == ['q']


def test_no_transform(make_voc):
    """If it fails, a wrong entry of a pipeline is a traceback at the first image."""
    with pytest.raises(InvalidInputError, match='a transform of pipeline is 1, expected a dict'):
        VOCDataset(str(make_voc(train_aug={'p': [[0]]})), 'train_aug', pipeline=[1])
