"""A package outside the repository adds a part of its own: config and registry, nothing else."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch

from incseg.apis import load_config
from incseg.engine import Experiment, train_protocol
from incseg.engine.checkpoint import read_step_checkpoint
from incseg.registry import MODELS
from tests.conftest import TINY

ROOT = Path(__file__).resolve().parents[1]
LEAVES = sorted(ROOT.glob('configs/*/bisenet_r18_shapes_4-*.py'))

HEAD = """
import torch
from torch import nn
from incseg.models import BaseDecodeHead
from incseg.registry import MODELS


@MODELS.register_module()
class TwoConvHead(BaseDecodeHead):
    def __init__(self, in_channels, channels, gain=1.0, **kwargs):
        super().__init__(in_channels, channels, **kwargs)
        self.gain = gain
        self.net = nn.Sequential(
            nn.Conv2d(in_channels, channels, 1), nn.ReLU(), nn.Conv2d(channels, channels, 1))

    def forward_features(self, feats):
        return self.gain * self.net(feats[self.in_index])
"""
LOSS = """
import torch.nn.functional as F
from torch import nn
from incseg.registry import MODELS


@MODELS.register_module()
class LowResolutionFocalLoss(nn.Module):
    low_resolution = True

    def __init__(self, gamma=2.0):
        super().__init__()
        self.gamma = gamma

    def forward(self, logits, target, *, num_old, ignore_index):
        assert logits.shape[2] < target.shape[1] and num_old >= 1
        small = F.interpolate(target[:, None].float(), size=logits.shape[2:])[:, 0]
        entropy = F.cross_entropy(
            logits.float(), small.long(), ignore_index=ignore_index, reduction='none')
        return ((1 - (-entropy).exp()) ** self.gamma * entropy).mean()
"""
BACKBONE = """
from torch import nn
from incseg.models.backbones.base import BaseBackbone
from incseg.registry import MODELS


@MODELS.register_module()
class ThreeStages(BaseBackbone):
    out_channels = stage_channels = (8, 16, 32)

    def __init__(self):
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, after, 3, 2, 1), nn.BatchNorm2d(after))
            for before, after in zip((3, 8, 16), (8, 16, 32)))

    def forward_stages(self, x):
        maps, stages = [], []
        for stage in self.stages:
            stages.append(stage(x))
            x = stages[-1].relu()
            maps.append(x)
        return tuple(maps), tuple(stages)
"""
CONFIG = """
_base_ = ['{root}/configs/mib/bisenet_r18_shapes_4-1.py']
custom_imports = dict(imports=['my_heads'], allow_failed_imports=False)
protocol = dict(name='5-1')
data = dict(train=dict(length=16, size=32), test=dict(length=4, size=32))
batch_size = 8
epochs = 1
model = dict(decode_head=dict(
    _delete_=True, type='TwoConvHead', in_channels=256, channels=24, gain=0.5))
method = dict(loss_decode=dict(_delete_=True, type='LowResolutionFocalLoss', gamma=1.0))
"""


@pytest.fixture
def my_backbone(tmp_path, monkeypatch):
    """A package beside the repository with a backbone of its own; returns overrides for it."""
    (tmp_path / 'my_backbones.py').write_text(BACKBONE)
    monkeypatch.syspath_prepend(tmp_path)
    import_module('my_backbones')
    yield {'model.backbone': dict(type='ThreeStages'), 'model.auxiliary_head.aux_32': None}
    MODELS.module_dict.pop('ThreeStages')
    sys.modules.pop('my_backbones')


@pytest.mark.parametrize('leaf', LEAVES, ids=lambda path: path.parent.name)
def test_a_new_backbone_gets_every_method(leaf, my_backbone, tmp_path):
    """One method implemented, forward_stages, and every method trains all its steps on it.

    If it fails, some method asks a backbone for more than the documented interface.
    """
    options = {**TINY, **my_backbone, 'base_steps_dir': str(tmp_path / 'base')}
    if leaf.parent.name == 'wilson':
        options.update(epochs=2, warmup_epochs=1)
    if leaf.parent.name.endswith('_s'):
        options.update(
            {
                'seam.model.backbone': dict(type='ThreeStages'),
                'seam.schedule.epochs': 1,
                'seam.schedule.batch_size': 8,
                'seam_dir': str(tmp_path / 'seam'),
            }
        )
    config = load_config(leaf, options)
    ledger = train_protocol(config, tmp_path / 'run', reuse=False)
    experiment = Experiment(config)
    assert len(ledger.steps) == experiment.num_steps
    last = read_step_checkpoint(tmp_path / f'run/step_{experiment.num_steps - 1}/final.pth')
    assert 'backbone.stages.2.0.weight' in last['state_dict']


def test_custom_head_and_loss(tmp_path, tool_environment):
    """Breaks if a third party would have to touch our files, or misses classifier or teacher."""
    package = tmp_path / 'elsewhere' / 'my_heads'
    package.mkdir(parents=True)
    (package / '__init__.py').write_text('from my_heads import head, loss\n')
    (package / 'head.py').write_text(HEAD)
    (package / 'loss.py').write_text(LOSS)
    (tmp_path / 'mine_5-1.py').write_text(CONFIG.format(root=ROOT))
    path = os.pathsep.join([tool_environment['PYTHONPATH'], str(package.parent)])
    done = subprocess.run(
        [sys.executable, str(ROOT / 'tools' / 'train.py'), 'mine_5-1.py', '--no-reuse'],
        cwd=tmp_path,
        env=dict(tool_environment, PYTHONPATH=path),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    logs = (tmp_path / 'work_dirs/mine_5-1/step_1').rglob('*.log')
    assert any('distillation.logits.loss' in log.read_text() for log in logs)
    state = torch.load(tmp_path / 'work_dirs/mine_5-1/step_1/final.pth', weights_only=True)[
        'state_dict'
    ]
    assert state['decode_head.net.0.weight'].shape == (24, 256, 1, 1)
    assert state['decode_head.classifier.steps.1.weight'].shape == (1, 24, 1, 1)
