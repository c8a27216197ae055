"""Deterministic algorithms alone suffice for trainings: on a GPU if there is one, else on a CPU."""

import pytest
import torch
from mmengine.hooks import Hook

from incseg.engine import train_protocol
from incseg.models.losses.ohem import OhemCrossEntropyLoss
from incseg.registry import HOOKS, MODELS
from incseg.utils.precision import gpu_arithmetic
from tests.common.test_methods import BASES, toy
from tests.common.toys import network_config

pytestmark = pytest.mark.cuda
DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'


@HOOKS.register_module(force=True)
class NoteMode(Hook):
    """Notes in each iteration whether only deterministic algorithms are used, and where."""

    seen: set = set()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        device = next(runner.model.parameters()).device.type
        NoteMode.seen.add((torch.are_deterministic_algorithms_enabled(), device))


@pytest.fixture(scope='module')
def shared(tmp_path_factory):
    return tmp_path_factory.mktemp('base_steps')


@pytest.mark.parametrize('method', ['plop', 'replay', 'wilson'])
def test_a_method(method, shared, tmp_path):
    """If it fails, a method cannot be trained with ``schedule.deterministic=True``."""
    config = toy(next(base for base in BASES if base.stem == method), shared)
    config.schedule.deterministic = True
    config.custom_hooks = dict(note=dict(type='NoteMode'))
    NoteMode.seen.clear()
    assert len(train_protocol(config, tmp_path / 'run', range(2)).steps) == 2
    assert NoteMode.seen == {(True, DEVICE)}


def gradients(call, parameters):
    """The gradients of a loss under deterministic algorithms, twice."""
    with gpu_arithmetic(False, deterministic=True):
        return [torch.autograd.grad(call(), parameters) for _ in range(2)]


@pytest.mark.parametrize('head', [dict(type='ASPPHead', rates=[2, 3]), dict(type='LRASPPHead')])
def test_a_network(head):
    """If it fails, these networks cannot be trained so, or a gradient does not repeat."""
    torch.manual_seed(0)
    loss = dict(type='CrossEntropyLoss')
    config = network_config(decode_head=dict(head, loss_decode=loss), auxiliary_head=None)
    model = MODELS.build(config).to(DEVICE).train()
    images = torch.randn(2, 3, 32, 32, device=DEVICE)
    labels = torch.randint(0, 6, (2, 32, 32), device=DEVICE)
    once, again = gradients(
        lambda: sum(model.loss(images, labels).values()), list(model.parameters())
    )
    assert all(map(torch.equal, once, again)) and any(gradient.any() for gradient in once)


def test_hard_pixels():
    """If it fails, OHEM cannot be trained with so, or a gradient does not repeat."""
    logits = torch.randn(2, 5, 32, 32, device=DEVICE, requires_grad=True)
    labels = torch.randint(0, 5, (2, 32, 32), device=DEVICE)
    (once,), (again,) = gradients(
        lambda: OhemCrossEntropyLoss(0.7)(logits, labels, num_old=1), [logits]
    )
    assert torch.equal(once, again) and once.any()
