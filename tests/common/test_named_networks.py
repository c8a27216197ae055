"""Networks of timm and torchvision that the docs name: each serves every kind of use."""

import pytest
import torch
from mmengine.hooks import Hook
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from incseg.apis import load_config, prepare_for_inference
from incseg.engine import Experiment, train_protocol, train_seam
from incseg.engine.checkpoint import read_step_checkpoint
from incseg.models import SEAM, IncrementalSegmentor
from incseg.registry import HOOKS
from incseg.structures import SegDataSample
from tests.common.test_methods import BASES, ROOT

pytest.importorskip('timm', reason='timm is not installed')

NAMED = {
    'resnet50': 'TimmBackbone',
    'tf_efficientnet_lite0': 'TimmBackbone',
    'mobilenetv3_large_100': 'TimmBackbone',
    'convnext_tiny': 'TimmBackbone',
    'swin_tiny_patch4_window7_224': 'TimmBackbone',
    'vit_small_patch16_224': 'TimmBackbone',
    'mobilenet_v3_large': 'TorchvisionBackbone',
}
EACH = pytest.mark.parametrize('name', NAMED)


class PowerCutError(Exception):
    """Stands for a power cut."""


@HOOKS.register_module(force=True)
class CutAt(Hook):
    """Interrupts the step with a given number of outputs after some iterations."""

    when = None

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if self.when == (runner.model.decode_head.classifier.num_outputs, batch_idx + 1):
            raise PowerCutError


def backbone(name):
    return dict(type=NAMED[name], name=name)


def network(name, outputs, **kwargs):
    torch.manual_seed(len(outputs))
    return IncrementalSegmentor(backbone(name), dict(type='FCNHead', channels=8), outputs, **kwargs)


def pictures(size, count=2):
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(0))


@EACH
def test_serves_plop_and_predicts(name):
    """If it fails, a method, a size of pictures or the fast network does not go with it."""
    terms = dict(pooled=dict(type='PooledDistillation'))
    student = network(name, [3, 2], distillation=terms).train()
    student.set_teacher(network(name, [3]))
    labels = torch.randint(0, 5, (2, 40, 56), generator=torch.Generator().manual_seed(1))
    losses = student.loss(pictures((40, 56)), labels)
    assert losses['distillation.pooled.loss'] > 0
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in student.parameters())
    student.eval().set_teacher(None)
    for conv in student.decode_head.classifier.convs:
        nn.init.normal_(conv.weight, std=0.2)
    with torch.no_grad():
        sample = student.predict(pictures((97, 131), 1), [SegDataSample()])[0]
        assert sample.pred_sem_seg.data.shape == (1, 97, 131)
        fast = prepare_for_inference(student, 'float32')
        assert not any(isinstance(module, _BatchNorm) for module in fast.modules())
        expected, found = (net(pictures((97, 131), 1)) for net in (student, fast))
        assert (found - expected).abs().max() < 1e-3 * expected.abs().max()


@EACH
def test_serves_seam(name):
    """If it fails, no pseudo-labels can be made with it."""
    torch.manual_seed(0)
    model = SEAM(backbone(name), 2, scale=0.5, frozen=True).train()
    data = [SegDataSample() for _ in range(2)]
    for sample in data:
        sample.gt_image_labels = torch.tensor([1.0, 0.0])
    sum(model(pictures((48, 64)), data, mode='loss').values()).backward()
    held = {id(p) for layer in model.backbone.early_layers() for p in layer.parameters()}
    held |= {id(p) for layer in model.backbone.norm_layers() for p in layer.parameters()}
    for key, parameter in model.named_parameters():
        assert (parameter.grad is None) is (id(parameter) in held), key


def config(name, method, **options):
    return load_config(
        ROOT / f'configs/{method}/bisenet_r18_shapes_4-1.py',
        {
            'model.backbone': backbone(name),
            'model.decode_head.channels': 8,
            'model.auxiliary_head': None,
            'data.train.length': 16,
            'data.train.size': 32,
            'data.test.length': 2,
            'data.test.size': 32,
            'batch_size': 4,
            'epochs': [1, 2],
            'schedule.checkpoint_interval': 2,
            'custom_hooks.cut': dict(type='CutAt'),
            **options,
        },
    )


@EACH
def test_resumes_exactly(name, tmp_path, monkeypatch, capsys):
    """If it fails, an interrupted training of this network ends with other weights."""
    made = config(name, 'mib', base_steps_dir=str(tmp_path / 'base'))
    train_protocol(made, tmp_path / 'a', steps=[0, 1], reuse=False)
    for outputs in (5, 6):
        monkeypatch.setattr(CutAt, 'when', (outputs, 3))
        with pytest.raises(PowerCutError):
            train_protocol(made, tmp_path / 'b', steps=[0, 1], reuse=False, resume=True)
    monkeypatch.setattr(CutAt, 'when', None)
    train_protocol(made, tmp_path / 'b', steps=[0, 1], reuse=False, resume=True)
    for k in (0, 1):
        paths = [tmp_path / run / f'step_{k}/final.pth' for run in 'ab']
        a, b = (read_step_checkpoint(path)['state_dict'] for path in paths)
        assert a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.slow
@EACH
@pytest.mark.parametrize('method', [path.stem for path in BASES if path.stem != 'wilson'])
def test_every_method(name, method, tmp_path, capsys):
    """If it fails, this method does not go with this network."""
    options = {'method.memory.size': 4} if method == 'replay' else {}
    options |= {'method.hooks.rw.interval': 2} if method == 'rw' else {}
    made = config(name, method, base_steps_dir=str(tmp_path / 'base'), **options)
    steps = None if made.method.get('joint') else [0, 1]
    ledger = train_protocol(made, tmp_path / 'run', steps=steps)
    assert all(entry['accuracy'] is not None for entry in ledger.steps)


@pytest.mark.slow
@EACH
def test_seam_is_trained(name, tiny_seam, tmp_path, capsys):
    """If it fails, SEAM's training does not go with this network."""
    made = tiny_seam(**{'seam.model': dict(type='SEAM', backbone=backbone(name))})
    assert train_seam(Experiment(made), 1, tmp_path / 'w').is_file()
