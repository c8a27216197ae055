"""The examples of the page about own parts work as they are written."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from incseg.apis import load_config
from incseg.datasets.label_maps import write_label_file
from incseg.engine import train_protocol
from incseg.registry import DATASETS, MODELS

ROOT = Path(__file__).resolve().parents[1]
SMALL = dict(
    pretrained=False, epochs=1, batch_size=4, crop_size=32, num_workers=0, base_steps_dir='base'
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The files of the page in an empty folder, which is on the Python path.

    What they register is forgotten at the end, and names that other tests use are free.
    """
    for registry, names in (
        (MODELS, ('SmallBackbone', 'TwoBranches', 'MyHead', 'FocalLoss')),
        (DATASETS, ()),
    ):
        parts = {name: part for name, part in registry.module_dict.items() if name not in names}
        monkeypatch.setattr(registry, '_module_dict', parts)
    forget_modules()
    page = (ROOT / 'docs/extending.md').read_text()
    for name, code in re.findall(r'```python\n# (\S+\.py)[^\n]*\n(.*?)```', page, re.S):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(code.replace('/path/to/incseg', str(ROOT)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    forget_modules()


def forget_modules():
    """Forget the modules of the page, so that another folder may have some of these names."""
    for name in [*sys.modules]:
        if name.partition('.')[0] in ('my_parts', 'my_heads'):
            sys.modules.pop(name)


def draw(images, labels, ids, void):
    """Eight pictures of two splits, in each of which three classes are seen."""
    for split in ('train', 'val'):
        (images / split).mkdir(parents=True)
        for i in range(4):
            mask = np.full((40, 48), void, np.uint8)
            for place, file_id in enumerate(ids):
                mask[:36, 12 * place : 12 * place + 12] = file_id
            pixels = np.repeat(mask[..., None] * np.uint8(5) + np.uint8(i), 3, axis=2)
            Image.fromarray(pixels).save(images / split / f'{i}.jpg')
            write_label_file(labels / split / f'{i}.png', mask)


@pytest.mark.parametrize(
    ('config', 'images', 'labels', 'ids', 'void'),
    [
        ('my_data.py', 'images', 'labels', (0, 1, 2, 3), 255),
        ('my_class.py', 'photos', 'masks', (0, 10, 20, 30), 99),
    ],
)
def test_own_data(folder, config, images, labels, ids, void):
    """If it fails, who follows the page cannot train on pictures of their own."""
    draw(folder / 'my_data' / images, folder / 'my_data' / labels, ids, void)
    ledger = train_protocol(load_config(config, SMALL), 'run')
    assert list(ledger.steps[1]['iou']) == ['background', 'apple', 'pear', 'plum']
    assert [step['train_images'] for step in ledger.steps] == [4, 4]


def test_own_backbone(folder):
    """If it fails, who follows the page cannot train a backbone of their own."""
    small = {'data.train.length': 32, 'data.test.length': 4, **SMALL}
    ledger = train_protocol(load_config('my_network.py', {**small, 'protocol.name': '5-1'}), 'run')
    assert len(ledger.steps) == 2


@pytest.mark.parametrize('method', ['mib', 'ewc', 'plop'])
def test_network_that_changes(folder, method):
    """If it fails, the page's network with a branch for the old and one for the new is of no use
    to a method."""
    path = folder / 'my_branches.py'
    path.write_text(path.read_text().replace('configs/mib', f'configs/{method}'))
    small = {'data.train.length': 32, 'data.test.length': 4, **SMALL}
    ledger = train_protocol(load_config(path, {**small, 'data.train.size': 32}), 'run')
    assert len(ledger.steps) == 3


@pytest.mark.parametrize('config', ['my_config.py', 'my_loss_config.py'])
def test_own_head_and_loss(folder, config):
    """If it fails, the page's head or loss ends in an error of torch."""
    path = folder / config
    path.write_text(path.read_text().replace('bisenet_r101_15-1', 'bisenet_r18_shapes_4-1'))
    small = {'data.train.length': 32, 'data.test.length': 4, **SMALL, 'protocol.name': '5-1'}
    ledger = train_protocol(load_config(path, {**small, 'data.train.size': 32}), 'run')
    assert len(ledger.steps) == 2
