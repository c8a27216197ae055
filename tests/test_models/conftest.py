"""Networks for the tests of incseg.models."""

import pytest
import torch
from torch import nn

from incseg.models import IncrementalSegmentor
from incseg.registry import MODELS

BISENET = dict(
    backbone=dict(type='BiSeNet', depth=18),
    decode_head=dict(type='FCNHead'),
    auxiliary_head=dict(
        aux_16=dict(type='FCNHead', in_index=1), aux_32=dict(type='FCNHead', in_index=0)
    ),
)
MIB = dict(logits=dict(type='UnbiasedLogitsDistillation', loss_weight=10.0))


@MODELS.register_module(force=True)
class TinyBackbone(nn.Module):
    """One convolution, stride 2: fast, and without global pooling."""

    out_channels = (6,)

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, stride=2, padding=1)

    def forward(self, x):
        return (self.conv(x),)


TINY = dict(
    backbone=dict(type='TinyBackbone'),
    decode_head=dict(type='FCNHead'),
    auxiliary_head=dict(aux_16=dict(type='FCNHead'), aux_32=dict(type='FCNHead')),
)


def randomise(model: nn.Module) -> nn.Module:
    """Classifiers that tell pixels apart, as after training."""
    for head in model.heads.values():  # type: ignore[union-attr, operator]
        for conv in head.classifier.convs:
            nn.init.normal_(conv.weight, std=conv.in_channels**-0.5)
            nn.init.normal_(conv.bias)
    return model


@pytest.fixture
def build():
    """Builds a segmentor, tiny by default, seeded: ``build([4, 2], bisenet=True, ...)``."""

    def make(outputs_per_step, bisenet=False, seed=0, dtype=None, **kwargs):
        torch.manual_seed(seed)
        config = {**(BISENET if bisenet else TINY), **kwargs}
        model = IncrementalSegmentor(outputs_per_step=outputs_per_step, **config)
        return randomise(model if dtype is None else model.to(dtype))

    return make


@pytest.fixture
def build_pair(build):
    """Builds a student that starts from its teacher, as before an incremental step."""

    def make(outputs_per_step, init='BackgroundBalancedInit', **kwargs):
        kwargs.setdefault('distillation', MIB)
        student = build(outputs_per_step, **kwargs)
        kwargs.pop('distillation')
        kwargs.pop('target_labeller', None)
        teacher = build(outputs_per_step[:-1], seed=1, **kwargs)
        student.load_state_dict(teacher.state_dict(), strict=False)
        student.set_teacher(teacher)
        for head in student.heads.values():
            MODELS.build(dict(type=init))(head.classifier)
        return student

    return make


@pytest.fixture
def batch():
    """Makes images and train ids, always the same: ``batch(size=(12, 10), classes=6, n=2)``."""

    def make(size=(12, 10), classes=6, n=2):
        generator = torch.Generator().manual_seed(0)
        return (
            torch.randn(n, 3, *size, generator=generator),
            torch.randint(0, classes, (n, *size), generator=generator, dtype=torch.uint8),
        )

    return make


@pytest.fixture(autouse=True)
def one_thread_one_seed():
    """Small networks: threads cost more than they bring.  And the same numbers every time."""
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
