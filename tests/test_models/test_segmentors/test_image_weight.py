"""Losses whose images count differently, those that know of weights and those that do not."""

import pytest
import torch
import torch.nn.functional as F

from incseg.models.segmentors.step_losses import takes_image_weight, weighted_by_image
from incseg.registry import MODELS

OPTIONS = dict(num_old=3, ignore_index=255)


def own_loss(logits, target, *, num_old, ignore_index):
    """A loss of a user's: a mean over pixels."""
    return F.cross_entropy(logits, target, reduction='none').mean()


def batch():
    logits = torch.randn(3, 5, 8, 6, dtype=torch.float64).requires_grad_()
    return logits, torch.randint(0, 5, (3, 8, 6)), torch.tensor([0.5, 0.0, 2.0])


def test_who_takes_a_weight():
    """If it fails, the library's losses go through image by image, or a user's gets a weight."""
    assert takes_image_weight(MODELS.build(dict(type='CrossEntropyLoss')))
    assert takes_image_weight(MODELS.build(dict(type='UnbiasedCrossEntropyLoss')))
    assert not takes_image_weight(own_loss)
    assert not takes_image_weight(torch.nn.Identity())


def test_a_loss_without_the_argument():
    """If it fails, PLOP does not work with, or does not weigh, a user's own loss."""
    logits, target, weight = batch()
    loss = weighted_by_image(own_loss, logits, target, weight, **OPTIONS)
    known = weighted_by_image(
        MODELS.build(dict(type='CrossEntropyLoss', fused=False)), logits, target, weight, **OPTIONS
    )
    torch.testing.assert_close(loss, known)
    grads = [torch.autograd.grad(x, logits)[0] for x in (loss, known)]
    torch.testing.assert_close(*grads)
    assert not grads[0][1].any() and grads[0][2].any()


@pytest.mark.parametrize('criterion', [own_loss, MODELS.build(dict(type='CrossEntropyLoss'))])
def test_no_weight_is_an_ordinary_call(criterion):
    """If it fails, every other method trains on another loss."""
    logits, target, _ = batch()
    assert torch.equal(
        weighted_by_image(criterion, logits, target, None, **OPTIONS),
        criterion(logits, target, **OPTIONS),
    )
