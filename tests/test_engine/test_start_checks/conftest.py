"""A data set of files, and runs that stop where their first step would begin."""

import shutil
import warnings
from importlib import import_module

import numpy as np
import pytest
from PIL import Image

from incseg.engine import train_protocol

CLASSES = ['background', 'a', 'b', 'c']
MASKS = {
    'train': {'1': [0, 1], '2': [0, 2], '3': [0, 3], '4': [1, 2, 3]},
    'val': {'5': [0, 1, 2], '6': [0, 3]},
}


def write(root, split, name, ids, size=(6, 8)):
    """An image and a mask of the ids, in columns."""
    pixels = np.full((*size, 3), 30 * int(name), np.uint8)
    mask = np.array(ids, np.uint8)[np.arange(size[1]) * len(ids) // size[1]]
    for kind, array in (('images', pixels), ('labels', np.tile(mask, (size[0], 1)))):
        (root / kind / split).mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(root / kind / split / f'{name}.png')


def write_all(root, masks):
    shutil.rmtree(root, ignore_errors=True)
    for split, of_split in masks.items():
        for name, ids in of_split.items():
            write(root, split, name, ids)


@pytest.fixture
def fruit(tmp_path):
    """A data set of files, ``fruit/{images,labels}/{train,val}``."""
    write_all(tmp_path / 'fruit', MASKS)
    return tmp_path / 'fruit'


class StartedError(Exception):
    """The checks have passed: the first step begins."""


@pytest.fixture
def start(tiny, fruit, tmp_path, monkeypatch):
    """Start a run up to its first step; returns the warnings, one line each."""

    def begin(*arguments):
        raise StartedError

    monkeypatch.setattr(import_module('incseg.engine.train_protocol').ProtocolRun, '_step', begin)
    source = dict(type='SegDataset', data_root=str(fruit), metainfo=dict(classes=CLASSES))
    options = {
        'data.train': dict(source, split='train'),
        'data.test': dict(source, split='val'),
        'protocol.name': '2-1',
        'batch_size': 1,
    }

    def run(method='mib', **more):
        config = tiny(method, **{**options, **more})
        shutil.rmtree(tmp_path / 'run', ignore_errors=True)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            with pytest.raises(StartedError):
                train_protocol(config, tmp_path / 'run', reuse=False)
        lines = [str(each.message) for each in caught if each.category is UserWarning]
        assert not any('\n' in line for line in lines)
        return lines

    return run
