"""A label that is neither a channel nor ignored: no loss takes it for background."""

import pytest
import torch

from incseg.errors import InvalidInputError
from incseg.models.losses.functional import cross_entropy
from incseg.models.losses.fused import fused_losses
from incseg.models.losses.fused.incremental import plain_losses
from incseg.registry import MODELS

LOSSES = [
    (name, fused)
    for name in ('CrossEntropyLoss', 'UnbiasedCrossEntropyLoss', 'BinaryCrossEntropyLoss')
    for fused in (True, False)
]


def target_with(label):
    """Labels 0 to 2, one ignored, and one more."""
    target = torch.arange(16).view(1, 4, 4) % 3
    target[0, 0, 0], target[0, 3, 3] = 255, label
    return target


def loss_of(name, fused, target):
    """The loss of 3 channels, two of them old, and its gradient."""
    loss = MODELS.build(dict(type=name, fused=fused))
    size = (2, 2) if loss.low_resolution else (4, 4)
    logits = torch.randn(1, 3, *size, requires_grad=True)
    value = loss(logits, target, num_old=2)
    return value, torch.autograd.grad(value, logits)[0]


@pytest.mark.parametrize('label', [-1, 3, 254])
@pytest.mark.parametrize(('name', 'fused'), LOSSES)
def test_on_a_cpu_it_is_refused(name, fused, label):
    """If it fails, a foreign label is learned as something, or ends in torch's own message."""
    with pytest.raises(InvalidInputError, match=f'a label of target is {label}, expected 0 to 2'):
        loss_of(name, fused, target_with(label))


@pytest.mark.parametrize('label', [-1, 3, 254])
@pytest.mark.parametrize(('name', 'fused'), LOSSES)
def test_where_reading_would_wait_the_loss_is_nan(name, fused, label, monkeypatch):
    """If it fails, a GPU takes a negative label for background, or dies of an index.

    As on a GPU no label is read.  The gradient stays finite until the loss is looked at.
    """
    monkeypatch.setattr(cross_entropy, 'is_read', lambda target: False)
    monkeypatch.setattr('incseg.models.losses.fused.incremental.has_one_pass', lambda *_: False)
    value, grad = loss_of(name, fused, target_with(label))
    assert value.isnan() and grad.isfinite().all()


@pytest.mark.parametrize(('name', 'fused'), LOSSES)
def test_the_rest_is_the_same_where_labels_are_not_read(name, fused, monkeypatch):
    """If it fails, a GPU's loss is another one also where all labels are right."""
    torch.manual_seed(0)
    expected = loss_of(name, fused, target_with(2))
    monkeypatch.setattr(cross_entropy, 'is_read', lambda target: False)
    torch.manual_seed(0)
    torch.testing.assert_close(loss_of(name, fused, target_with(2)), expected, rtol=0, atol=0)


@pytest.mark.parametrize('channel', range(3))
def test_nan_in_one_channel(channel):
    """If it fails, a broken network goes on: in rows as in the plain form the losses are NaN."""
    logits, teacher = torch.randn(1, 3, 2, 2), torch.randn(1, 2, 2, 2)
    logits[0, channel, 0, 0] = float('nan')
    found = fused_losses(logits, teacher, target_with(2), num_old=2)
    plain = plain_losses(logits, teacher, target_with(2), (4, 4), 2, True, 255)
    assert all(loss.isnan() for loss in (*found, *plain))


@pytest.mark.parametrize('name', ['target', 'teacher_logits'])
def test_tensors_of_two_devices(name):
    """If it fails, a GPU reads another one's memory, or ends in a message of Triton."""
    tensors = dict(teacher_logits=torch.randn(1, 2, 2, 2), target=target_with(2))
    tensors[name] = tensors[name].to('meta')
    with pytest.raises(InvalidInputError, match=f'device of {name} is .meta., expected .* cpu'):
        fused_losses(torch.randn(1, 3, 2, 2), **tensors)
