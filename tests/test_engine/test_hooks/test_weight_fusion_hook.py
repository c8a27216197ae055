"""EWF: what is averaged, by how much, when, and that it is what is saved and evaluated."""

import json
import math
import subprocess
import sys
from copy import deepcopy

import pytest
import torch
from mmengine.hooks import Hook
from torch import nn

from incseg.engine import train_protocol
from incseg.engine.checkpoint import plain, read_step_checkpoint
from incseg.engine.evaluate import evaluate_checkpoint as evaluate_step
from incseg.engine.hooks import WeightFusionHook
from incseg.engine.hooks.weight_fusion import fuse_weights, fusion_factor
from incseg.errors import InvalidInputError
from incseg.models.decode_heads.growing_classifier import GrowingClassifier
from incseg.registry import HOOKS


class PowerCutError(Exception):
    """Stands for a power cut."""


@HOOKS.register_module()
class TrainedWeights(Hook):
    """Keeps what each step was trained to, before anything is done to it."""

    priority = 'HIGH'
    kept: dict = {}

    def after_train(self, runner):
        outputs = runner.model.decode_head.classifier.num_outputs
        self.kept[outputs - 5] = deepcopy(plain(dict(runner.model.state_dict())))


@HOOKS.register_module()
class CutBeforeSaving(Hook):
    """Breaks off in the last step: while it trains, or between fusion and saving."""

    priority = 'VERY_LOW'
    when: str | None = None

    def last(self, runner, moment):
        if self.when == moment and runner.model.decode_head.classifier.num_outputs == 7:
            raise PowerCutError

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if batch_idx == 2:
            self.last(runner, 'training')

    def after_train(self, runner):
        self.last(runner, 'fused')


def network(outputs):
    """A convolution, BatchNorm with statistics that moved, and a classifier per step."""
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), GrowingClassifier(4, outputs))
    for _ in range(len(outputs)):
        net(torch.randn(2, 3, 8, 8))
    return net.double()


def saved(work_dir, k):
    return read_step_checkpoint(work_dir / f'step_{k}' / 'final.pth')['state_dict']


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def ewf(tiny, factor=None, **options):
    config = tiny('ewf', **options)
    config.method.hooks.fusion.factor = factor
    config.custom_hooks = dict(
        trained=dict(type='TrainedWeights'), cut=dict(type='CutBeforeSaving')
    )
    return config


@pytest.mark.parametrize(
    ('num_old', 'num_outputs', 'expected'),
    [
        (16, 17, 0.24253562503633297),  # VOC 15-1, step 1: sqrt(1 / 17)
        (20, 21, 0.21821789023599238),  # its last step: sqrt(1 / 21)
        (16, 21, 0.4879500364742666),  # 15-5: sqrt(5 / 21)
        (101, 151, 0.5754353376484361),
    ],
)  # ADE 100-50: sqrt(50 / 151)
def test_factor(num_old, num_outputs, expected):
    """If it fails, the background is counted otherwise than in the published code."""
    assert fusion_factor(num_old, num_outputs) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize('factor', [0.25, math.sqrt(1 / 17), 0.7])
def test_published_formula(factor):
    """The published loop over the old state dict, on random networks in float64."""
    torch.manual_seed(0)
    old, new = network([3]), network([3, 2])
    before = deepcopy(new.state_dict())
    expected = dict(before)
    for name, value in old.state_dict().items():  # what that code does, written plainly
        if name != '1.num_batches_tracked':  # its normalisation has no such buffer
            expected[name] = (1 - factor) * value + factor * before[name]
    fuse_weights(new, old.state_dict(), factor)
    result = new.state_dict()
    for name in ('0.weight', '1.running_mean', '1.running_var', '2.steps.0.weight'):
        assert not torch.equal(result[name], before[name]), f'{name} is fused'
    for name, value in expected.items():
        torch.testing.assert_close(result[name], value, rtol=1e-14, atol=0)
        assert result[name].dtype == before[name].dtype


def test_worked_number():
    """old 2, new 6, a = 0.25: 0.75 * 2 + 0.25 * 6 = 3."""
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, 6.0)
    weight = layer.weight
    fuse_weights(layer, dict(weight=torch.full((1, 1), 2.0)), 0.25)
    assert layer.weight.item() == 3
    assert layer.weight is weight and weight.requires_grad, 'the optimiser still holds it'


def test_new_classifier_and_counts_stay():
    """If it fails, a classifier that the old network does not have was scaled down."""
    old, new = network([3]), network([3, 2])
    before = deepcopy(new.state_dict())
    fuse_weights(new, old.state_dict(), 0.0)
    for name in ('2.steps.1.weight', '2.steps.1.bias', '1.num_batches_tracked'):
        assert torch.equal(new.state_dict()[name], before[name]), name
    assert before['1.num_batches_tracked'] == 2, 'so that an averaged count would show'
    assert torch.equal(new.state_dict()['0.weight'], old.state_dict()['0.weight'])


@pytest.mark.parametrize('factor', [-0.1, 1.5, float('nan'), '0.5', True])
def test_bad_factor(factor):
    """One line that names the key, before anything is trained."""
    with pytest.raises(
        InvalidInputError, match='method.hooks.fusion.factor is .* number from 0 to 1'
    ):
        WeightFusionHook(factor, name='fusion')


def test_a_whole_run(tiny, tmp_path):
    """Step 0 untouched, later ones fused once with the saved network of the step before."""
    config = ewf(tiny)
    ledger = train_protocol(config, tmp_path / 'run', reuse=False)
    trained, files = TrainedWeights.kept, [saved(tmp_path / 'run', k) for k in range(3)]
    assert same(files[0], trained[0])
    for k, factor in ((1, math.sqrt(1 / 6)), (2, math.sqrt(1 / 7))):
        for name, value in trained[k].items():
            if name in files[k - 1] and value.is_floating_point():
                value = (1 - factor) * files[k - 1][name].double() + factor * value.double()
            torch.testing.assert_close(
                files[k][name].double(), value.double(), rtol=1e-5, atol=1e-7, msg=name
            )
        assert f'decode_head.classifier.steps.{k}.weight' not in files[k - 1]
    entry = evaluate_step(config, tmp_path / 'run/step_2/final.pth', tmp_path / 'test')
    assert entry['iou'] == ledger.steps[2]['iou'], 'the saved network is the one evaluated'
    assert entry['accuracy'] == ledger.steps[2]['accuracy']


def test_factors_at_the_ends(tiny, tmp_path):
    """1 is MiB bit for bit; 0 keeps the old network and learns the new classifier alone."""
    short = {'protocol.name': '5-1'}
    train_protocol(tiny('mib', **short), tmp_path / 'mib')
    train_protocol(ewf(tiny, 1, **short), tmp_path / 'one')
    assert all(same(saved(tmp_path / 'mib', k), saved(tmp_path / 'one', k)) for k in range(2))
    train_protocol(ewf(tiny, 0, **short), tmp_path / 'zero')
    old, new = (saved(tmp_path / 'zero', k) for k in (0, 1))
    assert all(
        torch.equal(new[name], value) for name, value in old.items() if value.is_floating_point()
    )


@pytest.mark.parametrize('moment', ['training', 'fused'])
def test_fused_once_after_an_interruption(moment, tiny, tmp_path, monkeypatch):
    """Cut off before the fusion, or between it and the save: the same network, bit for bit."""
    config = ewf(tiny, epochs=2, **{'protocol.name': '5-1'})
    train_protocol(config, tmp_path / 'whole')
    monkeypatch.setattr(CutBeforeSaving, 'when', moment)
    with pytest.raises(PowerCutError):
        train_protocol(config, tmp_path / 'cut')
    monkeypatch.setattr(CutBeforeSaving, 'when', None)
    train_protocol(config, tmp_path / 'cut', resume=True)
    assert same(saved(tmp_path / 'whole', 1), saved(tmp_path / 'cut', 1))


SAME_FUSED = """
import torch
from mmengine.dist import all_gather
from mmengine.hooks import Hook
from incseg.registry import HOOKS


@HOOKS.register_module()
class SameFused(Hook):
    priority = 'VERY_LOW'

    def after_train(self, runner):
        for name, value in runner.model.named_parameters():
            first, second = all_gather(value.data)
            assert torch.equal(first, second), name
        print('compared', flush=True)
"""


def test_two_processes(tool_environment, free_port, toy_leaf, tmp_path):
    """Every process fuses the same network; else the next step starts from different ones."""
    root = tool_environment['PYTHONPATH']
    (tmp_path / 'same_fused.py').write_text(SAME_FUSED)
    more = "custom_hooks = dict(same=dict(type='SameFused'))\n"
    leaf = toy_leaf('ewf/bisenet_r18_shapes_4-1', more, ['same_fused'])
    options = [
        'data.train.length=16',
        'data.test.length=2',
        'data.train.size=32',
        'data.test.size=32',
        'batch_size=8',
        'epochs=1',
        'protocol.name=5-1',
    ]
    done = subprocess.run(
        [
            f'{root}/tools/dist_train.sh',
            leaf,
            '2',
            '--work-dir',
            'two',
            '--no-reuse',
            '--cfg-options',
            *options,
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        env=dict(
            tool_environment, PORT=free_port, PYTHON=sys.executable, PYTHONPATH=f'{root}:{tmp_path}'
        ),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count('compared') == 2 * 2
    assert 'fused 0.3780 of the new weights' in done.stdout, 'sqrt(1 / 7)'
    assert len(json.loads((tmp_path / 'two/results.json').read_text())['steps']) == 2
