"""The frozen baseline through the whole engine: from step 1 on only new classifiers move."""

import subprocess
import sys

import pytest
import torch

from incseg.engine import train_protocol
from incseg.engine.checkpoint import read_step_checkpoint
from incseg.errors import InvalidInputError

NEW = ('decode_head.', 'auxiliary_head.aux_16.', 'auxiliary_head.aux_32.')


def weights(work_dir, k):
    return read_step_checkpoint(work_dir / f'step_{k}' / 'final.pth')['state_dict']


def check_steps(work_dir, num_steps):
    """Every step holds the one before bit for bit; what it adds are its classifiers, trained."""
    for k in range(1, num_steps):
        before, after = weights(work_dir, k - 1), weights(work_dir, k)
        assert all(torch.equal(value, after[name]) for name, value in before.items())
        added = {name: value for name, value in after.items() if name not in before}
        assert set(added) == {
            f'{head}classifier.steps.{k}.{kind}' for head in NEW for kind in ('weight', 'bias')
        }
        assert all(value.any() for name, value in added.items() if name.endswith('bias'))


def test_only_new_classifiers_move(tiny, tmp_path):
    """If it fails, the optimiser, its weight decay or BatchNorm changes what is frozen."""
    train_protocol(
        tiny('frozen', bisenet=True, **{'schedule.optimizer.weight_decay': 0.1}), tmp_path / 'run'
    )
    check_steps(tmp_path / 'run', 3)


def test_shares_the_base_step(tiny, tmp_path, capsys):
    """If it fails, freezing reaches step 0, or the baseline starts from another network."""
    train_protocol(tiny('ft'), tmp_path / 'ft', steps=[0])
    assert 'reused' not in capsys.readouterr().out
    ledger = train_protocol(tiny('frozen'), tmp_path / 'frozen')
    assert ledger.steps[0]['reused_from']
    assert ledger.steps[2]['seconds'] > 0


def test_unknown_part_before_training(tiny):
    """If it fails, the mistake is found when step 0 is done."""
    from incseg.apis.config.check import check_config

    with pytest.raises(InvalidInputError, match=r"frozen is \['bakbone'\], expected"):
        check_config(tiny('frozen', **{'method.frozen': ['bakbone']}))


def test_another_method_with_a_frozen_backbone(tiny, tmp_path):
    """If it fails, `frozen` is not an option of every method, or the teacher trips over it."""
    config = tiny('mib', **{'protocol.name': '5-1'})
    config.method['frozen'] = ['backbone']
    train_protocol(config, tmp_path / 'run')
    before, after = weights(tmp_path / 'run', 0), weights(tmp_path / 'run', 1)
    moved = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert moved and not any(name.startswith('backbone.') for name in moved)


def test_two_processes(tool_environment, free_port, tmp_path):
    """If it fails, DDP waits for gradients that frozen parameters never get, or torch's SyncBN,
    which the config asks for, asks for a GPU."""
    root = tool_environment['PYTHONPATH']
    environment = dict(tool_environment, PORT=free_port, PYTHON=sys.executable)
    done = subprocess.run(
        [
            f'{root}/tools/dist_train.sh',
            f'{root}/configs/frozen/bisenet_r18_shapes_4-1.py',
            '2',
            '--work-dir',
            'two',
            '--no-reuse',
            '--cfg-options',
            'data.train.length=32',
            'data.test.length=7',
            'data.train.size=32',
            'data.test.size=32',
            'batch_size=8',
            'epochs=2',
            'protocol.name=5-1',
            'norm_cfg.type=SyncBN',
        ],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    check_steps(tmp_path / 'two', 2)
