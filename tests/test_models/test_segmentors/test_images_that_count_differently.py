"""Losses with a weight for each image, and with exemplars of a replay memory."""

import pytest
import torch
import torch.nn.functional as F

from incseg.models.losses import CrossEntropyLoss, UnbiasedCrossEntropyLoss
from incseg.models.segmentors.step_losses import (
    loss_with_hidden,
    takes_image_weight,
    weighted_by_image,
)
from incseg.registry import MODELS

OPTIONS = dict(num_old=4, ignore_index=255)


def rows(exemplars, num_old=4, outputs=6):
    """Which classes each image hides: an exemplar none, another one the old classes."""
    hidden = torch.zeros(len(exemplars), outputs, dtype=torch.bool)
    hidden[:, 1:num_old] = ~torch.tensor(exemplars)[:, None]
    return hidden


def batch(n=5):
    torch.manual_seed(0)
    logits = torch.randn(n, 6, 4, 3, dtype=torch.float64, requires_grad=True)
    target = torch.randint(0, 6, (n, 4, 3))
    target[1, 0] = 255
    return logits, target


def by_hand(logits, target, exemplars, weight):
    """Pixel by pixel: exemplars -log p_y, others with background and old classes merged."""
    total = 0.0
    p = logits.softmax(1)
    for i in range(len(target)):
        for y, x in torch.cartesian_prod(torch.arange(4), torch.arange(3)).tolist():
            label = int(target[i, y, x])
            if label == 255:
                continue
            if label < 4 and not exemplars[i]:
                total = total - weight[i] * p[i, :4, y, x].sum().log()
            else:
                total = total - weight[i] * p[i, label, y, x].log()
    return total / target.numel()


@pytest.mark.parametrize('fused', [True, False])
@pytest.mark.parametrize('weighted', [True, False])
def test_unbiased_cross_entropy(fused, weighted):
    """Values and gradients.  If it fails, MiB throws the old labels of its memory away."""
    logits, target = batch()
    exemplars = torch.tensor([False, True, False, True, True])
    weight = torch.tensor([0.5, 1.0, 0.0, 1.0, 2.0], dtype=torch.float64)
    loss = loss_with_hidden(
        UnbiasedCrossEntropyLoss(fused=fused),
        logits,
        target,
        hidden=rows(exemplars.tolist()),
        image_weight=weight if weighted else None,
        **OPTIONS,
    )
    expected = by_hand(logits, target, exemplars, weight if weighted else torch.ones(5))
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(
        *(torch.autograd.grad(value, logits, retain_graph=True)[0] for value in (loss, expected))
    )


@pytest.mark.parametrize('exemplars', [None, [False] * 5, [True] * 5])
def test_all_of_one_kind(exemplars):
    """One call, with the step's num_old or with none."""
    logits, target = batch()
    criterion = UnbiasedCrossEntropyLoss()
    flags = None if exemplars is None else rows(exemplars)
    expected = criterion(
        logits, target, **{**OPTIONS, **(dict(num_old=1) if exemplars and all(exemplars) else {})}
    )
    assert torch.equal(
        loss_with_hidden(criterion, logits, target, hidden=flags, **OPTIONS), expected
    )


def test_plain_cross_entropy_does_not_care():
    """To fine-tuning an exemplar is an image like any other: only its labels are better."""
    logits, target = batch()
    mixed = loss_with_hidden(
        CrossEntropyLoss(),
        logits,
        target,
        hidden=rows([True, False, True, False, False]),
        **OPTIONS,
    )
    torch.testing.assert_close(mixed, CrossEntropyLoss()(logits, target, **OPTIONS))


THREE_OLD = dict(num_old=3, ignore_index=255)


def own_loss(logits, target, *, num_old, ignore_index):
    """A loss of a user's: a mean over pixels."""
    return F.cross_entropy(logits, target, reduction='none').mean()


def weighted_batch():
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
    logits, target, weight = weighted_batch()
    loss = weighted_by_image(own_loss, logits, target, weight, **THREE_OLD)
    known = weighted_by_image(
        MODELS.build(dict(type='CrossEntropyLoss', fused=False)),
        logits,
        target,
        weight,
        **THREE_OLD,
    )
    torch.testing.assert_close(loss, known)
    grads = [torch.autograd.grad(x, logits)[0] for x in (loss, known)]
    torch.testing.assert_close(*grads)
    assert not grads[0][1].any() and grads[0][2].any()


@pytest.mark.parametrize('criterion', [own_loss, MODELS.build(dict(type='CrossEntropyLoss'))])
def test_no_weight_is_an_ordinary_call(criterion):
    """If it fails, every other method trains on another loss."""
    logits, target, _ = weighted_batch()
    assert torch.equal(
        weighted_by_image(criterion, logits, target, None, **THREE_OLD),
        criterion(logits, target, **THREE_OLD),
    )
