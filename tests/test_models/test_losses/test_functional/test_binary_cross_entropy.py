"""LwF-MC's loss: a wrong value or gradient here trains its base step, too, on something else."""

import pytest
import torch
from torch import Tensor

from incseg.models.losses.functional import binary_cross_entropy

GOLDEN = (2.0, -1.0, 0.5, 1.0, 0.0, -0.5)
# constants: from the published implementation (fcdl94/MiB), its one-hot targets in float64
PUBLISHED_GOLDEN = (
    3.8947525349995766,
    6.894752534999577,
    5.394752534999577,
    4.894752534999577,
    5.894752534999577,
    6.394752534999577,
)
PUBLISHED = 3.955641171030269
PUBLISHED_GRADIENTS = {
    (1, 0): [
        0.022411785114166256,
        1 / 24,
        0.05187161093348788,
        0.05187161093348788,
        -1 / 24,
        0.022411785114166256,
    ],
    (2, 1): [
        -0.031461722399845446,
        0.015202126983863029,
        0.031461722399845446,
        1 / 24,
        1 / 24,
        0.031461722399845446,
    ],
    (1, 2): [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
}


def naive(logits: Tensor, target: Tensor, ignore_index: int = 255) -> Tensor:
    """The definition, class by class, on explicit probabilities."""
    total = logits.new_zeros(())
    for n, i, j in torch.cartesian_prod(*map(torch.arange, target.shape)).tolist():
        label = int(target[n, i, j])
        if label != ignore_index:
            for c, p in enumerate(logits[n, :, i, j].sigmoid()):
                total = total - (p if c == label else 1 - p).log()
    return total / target.numel()


def random_case(channels: int, ignored: float = 0.3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(channels)
    logits = torch.randn(2, channels, 4, 3, generator=generator, dtype=torch.float64) * 3
    target = torch.randint(0, channels, (2, 4, 3), generator=generator)
    target[torch.rand(2, 4, 3, generator=generator) < ignored] = 255
    return logits, target


def ramp(channels: int, a: int, b: int) -> Tensor:
    """``(1, channels, 3, 4)`` by arithmetic alone, so no generator's stream matters."""
    c = torch.arange(channels, dtype=torch.float64).view(1, -1, 1, 1)
    i, j = torch.arange(3.0).view(1, 1, 3, 1), torch.arange(4.0).view(1, 1, 1, 4)
    return ((a * c * c + b * c * i + (i + 2 * j) * (c + 1)) % 7 - 3) / 2


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32])
def test_golden_numbers(dtype):
    """If it fails, classes are averaged, or a pixel's own class is not its positive one."""
    logits = torch.tensor(GOLDEN, dtype=dtype).view(1, 6, 1, 1)
    for label, expected in enumerate(PUBLISHED_GOLDEN):
        loss = binary_cross_entropy(logits, torch.full((1, 1, 1), label))
        assert loss.dtype == dtype
        assert loss.item() == pytest.approx(expected, abs=1e-9 if dtype == torch.float64 else 1e-6)


def test_published_implementation():
    """If it fails, we no longer compute what the published numbers were trained with."""
    logits = ramp(6, 3, 5).requires_grad_()
    target = torch.tensor([[[0, 1, 2, 3], [4, 5, 255, 0], [0, 0, 4, 255]]])
    loss = binary_cross_entropy(logits, target)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.item() == pytest.approx(PUBLISHED, rel=1e-12)
    for (i, j), expected in PUBLISHED_GRADIENTS.items():
        torch.testing.assert_close(
            gradient[0, :, i, j],
            torch.tensor(expected, dtype=torch.float64),
            rtol=1e-10,
            atol=1e-16,
        )


@pytest.mark.parametrize('channels', [1, 2, 6])
def test_equals_explicit_probabilities(channels):
    """If it fails, the short cut without one-hot targets and the definition have come apart."""
    logits, target = random_case(channels)
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    loss, expected = binary_cross_entropy(ours, target), naive(theirs, target)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(loss, expected, rtol=1e-11, atol=1e-14)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-9, atol=1e-14)


def test_gradient_by_finite_differences():
    """If it fails, a class is pushed the wrong way."""
    logits, target = random_case(5)
    assert torch.autograd.gradcheck(
        lambda z: binary_cross_entropy(z, target), logits.requires_grad_()
    )


def test_other_classes_do_not_compete():
    """If it fails, one class's logit changes the gradient of another: a softmax crept in."""
    logits, target = random_case(5, ignored=0)
    moved = logits.clone()
    moved[:, 3] += 7
    gradients = [
        torch.autograd.grad(binary_cross_entropy(z.requires_grad_(), target), z)[0]
        for z in (logits, moved)
    ]
    others = [0, 1, 2, 4]
    assert torch.equal(gradients[0][:, others], gradients[1][:, others])
    assert not torch.equal(gradients[0][:, 3], gradients[1][:, 3])


def test_only_void():
    """If it fails, an image without any label yields NaN, or trains every class down."""
    logits, target = random_case(5, ignored=2.0)
    loss = binary_cross_entropy(logits.requires_grad_(), target)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss == 0 and not gradient.any()


def test_void_stays_in_the_denominator():
    """If it fails, the mean is over labelled pixels alone, unlike every other loss here."""
    logits = torch.zeros(1, 4, 1, 2, dtype=torch.float64)
    for ignore_index in (255, 9):
        loss = binary_cross_entropy(logits, torch.tensor([[[3, ignore_index]]]), ignore_index)
        torch.testing.assert_close(loss, 4 * torch.tensor(2.0, dtype=torch.float64).log() / 2)


def test_image_weight():
    """If it fails, an image counts more or less than its weight, or the mean is over less."""
    logits, target = random_case(5)
    parts = torch.stack(
        [binary_cross_entropy(logits[i : i + 1], target[i : i + 1]) for i in range(2)]
    )
    factor = torch.tensor([0.25, 3.0])
    loss = binary_cross_entropy(logits, target, image_weight=factor.requires_grad_())
    assert loss.dtype == torch.float64 and not loss.requires_grad
    torch.testing.assert_close(loss, (parts * factor.double()).mean().detach())
    with pytest.raises(ValueError, match=r'image_weight is \(3,\), expected \(2,\)'):
        binary_cross_entropy(logits, target, image_weight=torch.ones(3))


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32, torch.float16])
def test_extreme_logits(dtype):
    """If it fails, one over-confident pixel turns all weights into NaN, or is let off."""
    logits = torch.tensor([1e3, -1e3, 1e3]).view(1, 3, 1, 1).to(dtype).requires_grad_()
    for label, expected, gradient in ((0, 1e3, [0, 0, 1]), (1, 3e3, [1, -1, 1])):
        loss = binary_cross_entropy(logits, torch.full((1, 1, 1), label))
        (found,) = torch.autograd.grad(loss, logits)
        assert loss.item() == expected
        assert found.flatten().tolist() == gradient


def test_confident_logits_keep_their_digits():
    """If it fails, softplus turns linear where float64 still has digits (torch's does, at 20)."""
    z = torch.full((1, 1, 1, 1), 22.0, dtype=torch.float64)
    loss = binary_cross_entropy(z, torch.zeros(1, 1, 1).long())
    assert loss.item() == pytest.approx(torch.log1p(torch.exp(-z)).item(), rel=1e-4)


@pytest.mark.parametrize('half', [torch.bfloat16, torch.float16])
def test_half_types_are_raised(half):
    """If it fails, mixed precision sums over the classes in 8 or 11 bits."""
    logits, target = random_case(6)
    logits = logits.to(half).requires_grad_()
    loss = binary_cross_entropy(logits, target)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.dtype == torch.float32 and gradient.dtype == half
    assert loss == binary_cross_entropy(logits.detach().float(), target)


def test_many_classes_and_small_labels():
    """If it fails, uint8 labels or more than 150 classes (ADE20K) break the gather."""
    logits, target = random_case(151)
    expected = naive(logits, target)
    torch.testing.assert_close(binary_cross_entropy(logits, target.to(torch.uint8)), expected)


@pytest.mark.parametrize('shape', [(2, 4, 5), (1, 4, 4), (1, 1, 4, 5)])
def test_bad_shapes(shape):
    """If it fails, labels of another size are compared all the same."""
    with pytest.raises(ValueError, match='shape of logits and target is'):
        binary_cross_entropy(torch.zeros(1, 3, 4, 5), torch.zeros(shape).long())
