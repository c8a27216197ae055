"""A package outside the repository adds a head and a loss: config and registry, nothing else."""
import os
import subprocess
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]

HEAD = '''
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
'''
LOSS = '''
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
'''
CONFIG = '''
_base_ = ['{root}/configs/mib/bisenet_r18_shapes_4-1.py']
custom_imports = dict(imports=['my_heads'], allow_failed_imports=False)
protocol = dict(name='5-1')
data = dict(train=dict(length=16, size=32), test=dict(length=4, size=32))
batch_size = 8
epochs = 1
model = dict(decode_head=dict(
    _delete_=True, type='TwoConvHead', in_channels=256, channels=24, gain=0.5))
method = dict(loss_decode=dict(_delete_=True, type='LowResolutionFocalLoss', gamma=1.0))
'''


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
        cwd=tmp_path, env=dict(tool_environment, PYTHONPATH=path), capture_output=True, text=True,
        timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    logs = (tmp_path / 'work_dirs/mine_5-1/step_1').rglob('*.log')
    assert any('distillation.logits.loss' in log.read_text() for log in logs)
    state = torch.load(
        tmp_path / 'work_dirs/mine_5-1/step_1/final.pth', weights_only=True)['state_dict']
    assert state['decode_head.net.0.weight'].shape == (24, 256, 1, 1)
    assert state['decode_head.classifier.steps.1.weight'].shape == (1, 24, 1, 1)
