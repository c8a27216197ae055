"""Online hard example mining: which pixels count."""

from math import log

import pytest
import torch

from incseg.errors import InvalidInputError
from incseg.models.losses import OhemCrossEntropyLoss
from tests.common.waits import DEVICE, StandIn


def logits_of(*probabilities):
    """One row of pixels with label 1 of two classes, which has these probabilities."""
    p = torch.tensor(probabilities, dtype=torch.float64)
    return torch.stack([1 - p, p]).log()[None, :, None], torch.ones(1, 1, len(p), dtype=torch.uint8)


def test_hard_pixels():
    """If it fails, easy pixels count, or the mean is over all."""
    logits, target = logits_of(0.9, 0.5, 0.71, 0.2)
    found = OhemCrossEntropyLoss(0.7, min_kept=0)(logits, target, num_old=1)
    assert float(found) == pytest.approx(-(log(0.5) + log(0.2)) / 2)


def test_enough_pixels():
    """If it fails, a network that is sure everywhere learns from nothing."""
    logits, target = logits_of(0.9, 0.95, 0.8, 0.99)
    found = OhemCrossEntropyLoss(0.7, min_kept=0.5, loss_weight=3.0)(logits, target, num_old=1)
    assert float(found) == pytest.approx(-3 * (log(0.8) + log(0.9)) / 2)
    one = OhemCrossEntropyLoss(0.7, min_kept=0)(logits, target, num_old=1)
    assert float(one) == pytest.approx(-log(0.8)), 'at least one'


def test_void_and_weights():
    """If it fails, void is hard, or counts towards the least number, or weights do not act."""
    logits, target = logits_of(0.2, 0.5, 0.9, 0.9)
    target[0, 0, 0] = 255
    loss = OhemCrossEntropyLoss(0.7, min_kept=0.7)
    assert float(loss(logits, target, num_old=1)) == pytest.approx(-(log(0.5) + log(0.9)) / 2)
    weighted = loss(logits, target, num_old=1, image_weight=torch.tensor([2.0]))
    assert float(weighted) == pytest.approx(-(log(0.5) + log(0.9)))
    logits.requires_grad_()
    nothing = loss(logits, torch.full_like(target, 255), num_old=1)
    nothing.backward()
    assert nothing == 0 and not logits.grad.any()


@pytest.mark.parametrize('min_kept', [0, 0.4, 1])
@pytest.mark.parametrize('void', [0, 1, 6])
def test_on_a_gpu(min_kept, void):
    """If it fails, a GPU waits for the number of hard pixels, or another loss comes out."""
    probabilities = (0.9, 0.5, 0.71, 0.2, 0.95, 0.3)
    loss = OhemCrossEntropyLoss(0.7, min_kept)
    logits, target = logits_of(*probabilities)
    target[0, 0, :void] = 255
    logits.requires_grad_()
    expected = loss(logits, target, num_old=1)
    [gradient] = torch.autograd.grad(expected, logits)
    with StandIn() as device:
        there = logits.detach().to(DEVICE).requires_grad_()
        label = target.to(DEVICE)
        with device.counting() as waits:
            found = loss(there, label, num_old=1)
            found.backward()
        assert waits == []
        torch.testing.assert_close(found.cpu().detach(), expected.detach())
        torch.testing.assert_close(there.grad.cpu(), gradient)


@pytest.mark.parametrize('label', [-1, 2, 77])
def test_a_foreign_label_on_a_gpu(label):
    """If it fails, a label of another data set is left out of the hard pixels, or read beyond."""
    logits, target = logits_of(0.9, 0.5, 0.71, 0.2)
    target = target.long()
    target[0, 0, 1] = label
    with StandIn():
        found = OhemCrossEntropyLoss(0.7)(logits.to(DEVICE), target.to(DEVICE), num_old=1)
        assert found.cpu().isnan()


@pytest.mark.parametrize('wrong', [dict(threshold=0), dict(threshold=1.2), dict(min_kept=-0.1)])
def test_refused(wrong):
    with pytest.raises(InvalidInputError, match=f'OhemCrossEntropyLoss {next(iter(wrong))} is '):
        OhemCrossEntropyLoss(**wrong)
