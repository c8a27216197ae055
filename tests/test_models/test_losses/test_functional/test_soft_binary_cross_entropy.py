"""The binary cross-entropy of probabilities."""

from math import exp, log

import pytest
import torch

from incseg.models.losses.functional import binary_cross_entropy, soft_binary_cross_entropy


def random_case(n=2, c=3, h=4, w=5):
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(n, c, h, w, generator=generator, dtype=torch.float64) * 3,
        torch.rand(n, c, h, w, generator=generator, dtype=torch.float64),
    )


def test_brute_force():
    """If it fails, classes are averaged instead of summed, or the formula is another."""
    logits, target = random_case()
    total = 0.0
    for z, t in zip(logits.flatten().tolist(), target.flatten().tolist()):
        p = 1 / (1 + exp(-z))
        total -= t * log(p) + (1 - t) * log(1 - p)
    loss = soft_binary_cross_entropy(logits, target)
    assert loss.item() == pytest.approx(total / (2 * 4 * 5), rel=1e-12)


def test_hard_targets():
    """If it fails, a step with masks and one with soft labels are trained differently."""
    logits, _ = random_case()
    labels = logits.argmin(1)
    hot = torch.nn.functional.one_hot(labels, 3).movedim(3, 1).double()
    torch.testing.assert_close(
        soft_binary_cross_entropy(logits, hot), binary_cross_entropy(logits, labels)
    )


def test_gradient():
    """If it fails, the minimum is not at the target's probability."""
    _, target = random_case()
    logits = target.logit().requires_grad_()
    (gradient,) = torch.autograd.grad(soft_binary_cross_entropy(logits, target), logits)
    assert gradient.abs().max() < 1e-12
    logits = random_case()[0].requires_grad_()
    (gradient,) = torch.autograd.grad(soft_binary_cross_entropy(logits, target), logits)
    torch.testing.assert_close(gradient, (logits.sigmoid() - target) / 40)


def test_image_weight():
    """If it fails, an image that is left out still counts, or the mean is over the others."""
    logits, target = random_case()
    first, second = (
        soft_binary_cross_entropy(logits[i : i + 1], target[i : i + 1]) for i in (0, 1)
    )
    loss = soft_binary_cross_entropy(logits, target, torch.tensor([2.0, 0.0]))
    torch.testing.assert_close(loss, first)
    loss = soft_binary_cross_entropy(logits, target, torch.tensor([0.5, 0.25]))
    torch.testing.assert_close(loss, (first / 2 + second / 4) / 2)


def test_size_of_the_target():
    """If it fails, a head of another stride cannot be trained."""
    logits = torch.full((1, 3, 2, 2), 0.7, dtype=torch.float64)
    _, target = random_case(1)
    torch.testing.assert_close(
        soft_binary_cross_entropy(logits, target),
        soft_binary_cross_entropy(torch.full_like(target, 0.7), target),
    )


def test_large_logits():
    """If it fails, a sure network gives infinity."""
    logits = torch.tensor([300.0, -300.0]).view(1, 2, 1, 1)
    assert soft_binary_cross_entropy(logits, torch.ones(1, 2, 1, 1)).item() == 300


def test_other_classes_are_refused():
    """If it fails, a target of another step is broadcast silently."""
    logits, target = random_case()
    with pytest.raises(ValueError, match='same number of images and classes'):
        soft_binary_cross_entropy(logits, target[:, :1])
