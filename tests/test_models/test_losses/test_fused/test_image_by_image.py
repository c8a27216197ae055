"""One image at a time must be all at once, value and gradient, in less memory."""

import pytest
import torch

from incseg.models.losses.functional import binary_cross_entropy
from incseg.models.losses.fused.image_by_image import image_by_image
from incseg.structures.network_outputs import upsample

SIZE = (24, 32)


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 5, 4, 6, generator=generator, dtype=torch.float64)
    target = torch.randint(0, 5, (3, *SIZE), generator=generator)
    target[1, :7] = 255
    return logits.requires_grad_(), target


@pytest.mark.parametrize('weight', [None, [0.5, 0.0, 3.0]])
def test_equals_all_at_once(case, weight):
    """If it fails, the loss that trains is not the one that is tested against the published."""
    logits, target = case
    weight = None if weight is None else torch.tensor(weight, dtype=torch.float64)
    ours = image_by_image(binary_cross_entropy, logits, target, SIZE, weight)
    theirs = binary_cross_entropy(upsample(logits, SIZE), target, image_weight=weight)
    torch.testing.assert_close(ours, theirs)
    # a factor on the loss reaches the gradient
    gradients = [torch.autograd.grad(7 * loss, logits)[0] for loss in (ours, theirs)]
    torch.testing.assert_close(*gradients)


def test_one_image_at_a_time(case):
    """If it fails, a full-size tensor of the whole batch exists."""
    logits, target = case
    seen = []

    def watched(large, labels):
        seen.append((tuple(large.shape), len(labels)))
        return binary_cross_entropy(large, labels)

    image_by_image(watched, logits, target, SIZE)
    assert seen == [((1, 5, *SIZE), 1)] * 3


def test_without_gradient(case):
    """If it fails, a loss that is only looked at costs a graph, or cannot be had."""
    logits, target = case
    with torch.no_grad():
        quiet = image_by_image(binary_cross_entropy, logits, target, SIZE)
    constant = image_by_image(binary_cross_entropy, logits.detach(), target, SIZE)
    assert not quiet.requires_grad and not constant.requires_grad
    assert quiet == constant


def test_half_types_and_autocast(case):
    """If it fails, autocast computes the loss in bfloat16, or the gradient loses its type."""
    logits, target = case
    half = logits.detach().bfloat16().requires_grad_()
    with torch.autocast('cpu', torch.bfloat16):
        loss = image_by_image(binary_cross_entropy, half, target, SIZE)
    loss.backward()
    assert loss.dtype == torch.float32 and half.grad.dtype == torch.bfloat16
    expected = binary_cross_entropy(upsample(half.detach().float(), SIZE), target)
    torch.testing.assert_close(loss.detach(), expected)


def test_other_gets_no_gradient(case):
    """If it fails, the teacher is trained."""
    logits, _ = case
    other = torch.randn(3, 5, 1, 1, dtype=torch.float64).requires_grad_()
    loss = image_by_image(lambda a, b: (a * b).mean(), logits, other, SIZE)
    assert torch.autograd.grad(loss, other, allow_unused=True) == (None,)
