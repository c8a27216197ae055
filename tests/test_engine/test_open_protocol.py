"""Steps that are written out, each with its classes and images of its own, are trained."""

import json

import pytest
import torch

from incseg.engine import train_protocol
from incseg.engine.checkpoint import StepCheckpoint
from tests.common.painted_shapes import write_shapes_folder

BASE = ['disc', 'square', 'triangle']


@pytest.fixture
def open_config(tiny, tmp_path):
    """Load a config with an open protocol: three classes of Shapes, then the steps that are
    named, each a folder of pictures; ``open_config(star={'star': 1}, method='mib')``."""

    def load(method='mib', options=None, **folders):
        steps = dict(base=dict(classes=BASE))
        for name, ids in folders.items():
            if not (tmp_path / name).exists():
                write_shapes_folder(tmp_path / name, ids, seed=len(name))
            train = dict(type='FolderDataset', data_root=str(tmp_path / name), ids=ids)
            steps[name] = dict(classes=[name], data=dict(train=train, test=0.2))
        return tiny(method, **{'protocol': dict(name='open', steps=steps), **(options or {})})

    return load


def weights(work_dir, k):
    return StepCheckpoint(work_dir / f'step_{k}/final.pth').state_dict


def test_the_same_steps_written_out(tiny, tmp_path):
    """If it fails, an open protocol trains other networks, or has other scores, than the closed
    one that learns the same classes."""
    names = ['disc', 'square', 'triangle', 'ring', 'cross', 'star']
    steps = dict(first=dict(classes=names[:3]), second=dict(classes=names[3:5]),
                 third=dict(classes=names[5:]))  # fmt: skip
    closed = train_protocol(tiny('mib', **{'protocol.name': '3-2'}), tmp_path / 'closed')
    config = tiny('mib', protocol=dict(name='open', steps=steps))
    opened = train_protocol(config, tmp_path / 'open', reuse=False)
    for k in range(3):
        ours, theirs = (weights(tmp_path / name, k) for name in ('open', 'closed'))
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs), k
        for key in ('iou', 'accuracy', 'mib', 'train_images', 'forgetting'):
            assert opened.steps[k][key] == closed.steps[k][key], (k, key)
    again = train_protocol(config, tmp_path / 'shared', steps=[0])
    assert again.steps[0]['reused_from'], 'both share their base step'


def test_a_folder_of_one_new_class(open_config, tmp_path):
    """If it fails, nobody can teach a class that was not declared before step 0."""
    config = open_config(star={'star': 1})
    ledger = train_protocol(config, tmp_path / 'run')
    saved = StepCheckpoint(tmp_path / 'run/step_1/final.pth')
    assert saved.meta['classes'] == ['background', *BASE, 'star']
    assert saved.outputs_per_step == [4, 1] and saved.meta['protocol']['steps'] == [[1, 2, 3], [4]]
    entry = ledger.steps[1]
    assert entry['train_images'] == 25, 'all images of the folder but those held out'
    assert list(entry['iou']) == ['background', *BASE, 'star']
    assert entry['iou']['star'] is not None and entry['iou']['disc'] is not None
    stored = json.loads((tmp_path / 'run/config.json').read_text())
    assert stored['protocol']['name'] == 'open'
