"""A network's pretrained weights: files say where they came from, and how pictures are scaled."""

from importlib import import_module

import pytest
import torch
from mmengine.hooks import Hook

from incseg.apis import init_model
from incseg.engine import train_protocol
from incseg.engine.checkpoint import read_step_checkpoint
from incseg.errors import UserError
from incseg.models import SEAM, IncrementalSegmentor
from incseg.registry import HOOKS, MODELS
from tests.common.toys import ToyBackbone


class PowerCutError(Exception):
    """Stands for a power cut."""


@HOOKS.register_module(force=True)
class CutOff(Hook):
    """Interrupts the training after some iterations."""

    after = None

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if self.after == batch_idx + 1:
            raise PowerCutError


@MODELS.register_module(force=True)
class StoredBackbone(ToyBackbone):
    """A toy whose weights come from a file of the name that ``pretrained`` gives."""

    weights_source = None
    deviation = 50.0

    def __init__(self, pretrained=False):
        super().__init__()
        self.pretrained = pretrained

    @classmethod
    def input_scaling(cls, **options):
        return dict(mean=[90.0, 100.0, 110.0], std=[cls.deviation] * 3)

    def init_weights(self):
        if self.pretrained:
            self.weights_source = f'the file {self.pretrained}'
            torch.nn.init.ones_(self.layers[0][0].weight)


def config(tiny, pretrained):
    options = {
        'model.backbone': dict(type='StoredBackbone', pretrained='$pretrained'),
        'custom_hooks.cut': dict(type='CutOff'),
    }
    return tiny('ft', pretrained=pretrained, **options)


def test_the_source_is_told(tiny, tmp_path, monkeypatch, capsys):
    """If it fails, nobody knows what a network started from, least of all after --resume."""
    made = config(tiny, 'toy.pth')
    monkeypatch.setattr(CutOff, 'after', 3)
    with pytest.raises(PowerCutError):
        train_protocol(made, tmp_path / 'run', steps=[0])
    monkeypatch.setattr(CutOff, 'after', None)
    ledger = train_protocol(made, tmp_path / 'run', resume=True)
    assert [entry.get('weights_source') for entry in ledger.steps] == [
        'the file toy.pth',
        *[None] * 2,
    ]
    meta = read_step_checkpoint(tmp_path / 'run/step_0/final.pth')['meta']
    assert meta['weights_source'] == 'the file toy.pth'
    train_protocol(made, tmp_path / 'straight', steps=[0])
    again = train_protocol(made, tmp_path / 'again', steps=[0])
    assert again.steps[0]['reused_from'] and again.steps[0]['weights_source'] == 'the file toy.pth'
    other = train_protocol(config(tiny, False), tmp_path / 'other', steps=[0])
    assert 'weights_source' not in other.steps[0] and 'reused_from' not in other.steps[0]


def test_the_content_of_the_file_counts(tiny, tmp_path, capsys):
    """If it fails, a base step is shared by runs that started from other weights."""
    path = tmp_path / 'toy.pth'
    for content in ('a', 'b'):
        path.write_text(content)
        ledger = train_protocol(config(tiny, str(path)), tmp_path / content, steps=[0])
        assert 'reused_from' not in ledger.steps[0]


def test_the_scaling_is_used_at_every_door(tiny, tmp_path, monkeypatch, capsys):
    """If it fails, training, teacher and prediction see a picture in different colours."""
    made = tiny('mib', **{'model.backbone': dict(type='StoredBackbone')})
    teachers = []
    real = IncrementalSegmentor.set_teacher
    monkeypatch.setattr(
        IncrementalSegmentor,
        'set_teacher',
        lambda self, teacher: (teachers.append(teacher), real(self, teacher))[1],
    )
    train_protocol(made, tmp_path / 'run', steps=[0, 1])
    path = tmp_path / 'run/step_1/final.pth'
    content = read_step_checkpoint(path)
    assert content['meta']['input']['mean'] == [90.0, 100.0, 110.0]
    assert content['state_dict']['data_preprocessor.std'].flatten().tolist() == [50.0] * 3
    assert teachers[0].data_preprocessor.std.flatten().tolist() == [50.0] * 3
    monkeypatch.setattr(StoredBackbone, 'deviation', 1.0)  # as in another version of a library
    for fast in (False, True):
        model = init_model(str(path), device='cpu', fast=fast)
        assert model.data_preprocessor.std.flatten().tolist() == [50.0] * 3
    seam = SEAM(dict(type='StoredBackbone'), 2)
    assert seam.data_preprocessor.mean.flatten().tolist() == [90.0, 100.0, 110.0]


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (None, 'pretrained: no file of weights at .*weights.pth'),
        ({'conv1.weight': torch.zeros(3)}, 'weights.pth'),
    ],
)
def test_a_wrong_file_is_refused_before_the_data(tiny, tmp_path, monkeypatch, content, message):
    """If it fails, a large data set is scanned first, and then the run ends."""
    path = tmp_path / 'weights.pth'
    if content is not None:
        torch.save(content, path)
    backbone = dict(type='TorchvisionBackbone', name='mobilenet_v3_large', pretrained='$pretrained')
    made = tiny('ft', pretrained=str(path), **{'model.backbone': backbone})
    module = import_module('incseg.engine.train_protocol')
    monkeypatch.setattr(module, 'step_datasets', lambda *_: pytest.fail('read'))
    before = torch.get_rng_state()
    with pytest.raises(UserError, match=message) as error:
        train_protocol(made, tmp_path / 'run')
    assert '\n' not in str(error.value)
    assert torch.equal(torch.get_rng_state(), before)
