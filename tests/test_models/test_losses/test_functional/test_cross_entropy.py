"""Unbiased cross-entropy: a wrong value or gradient here trains every MiB run on another loss."""

import pytest
import torch
from torch import Tensor

from incseg.models.losses.functional import unbiased_cross_entropy

GOLDEN = (2.0, -1.0, 0.5, 1.0, 0.0, -0.5)  # one pixel, 4 old outputs, 2 new ones


def naive(logits: Tensor, target: Tensor, num_old: int, ignore_index: int = 255) -> Tensor:
    """The definition, pixel by pixel, on explicit probabilities."""
    probabilities = logits.softmax(1)
    total = logits.new_zeros(())
    for n in range(target.shape[0]):
        for i in range(target.shape[1]):
            for j in range(target.shape[2]):
                label = int(target[n, i, j])
                if label == ignore_index:
                    continue
                pixel = probabilities[n, :, i, j]
                background = num_old > 1 and label < num_old
                total = total - (pixel[:num_old].sum() if background else pixel[label]).log()
    return total / target.numel()


def test_image_weight():
    """If it fails, an image counts more or less than its weight, or the mean is over less."""
    logits, target = random_case(5)
    parts = torch.stack(
        [unbiased_cross_entropy(logits[i : i + 1], target[i : i + 1], 3) for i in range(2)]
    )
    for weight in ([1.0, 1.0], [0.25, 0.0], [0.0, 3.0]):
        factor = torch.tensor(weight)
        loss = unbiased_cross_entropy(logits, target, 3, image_weight=factor.requires_grad_())
        assert loss.dtype == torch.float64 and not loss.requires_grad
        torch.testing.assert_close(loss, (parts * factor.double()).mean().detach())
    with pytest.raises(ValueError, match=r'image_weight is \(3,\), expected \(2,\)'):
        unbiased_cross_entropy(logits, target, 3, image_weight=torch.ones(3))


def random_case(channels: int, seed: int = 0, ignored: float = 0.3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
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
@pytest.mark.parametrize(
    ('label', 'expected'),
    [
        (0, 0.1244355017),
        (1, 0.1244355017),
        (2, 0.1244355017),
        (3, 0.1244355017),
        (4, 2.6196173997),
        (5, 3.1196173997),
    ],
)
def test_golden_numbers(label, expected, dtype):
    """If it fails, background no longer sums over the old classes, or an old label escapes it."""
    logits = torch.tensor(GOLDEN, dtype=dtype).view(1, 6, 1, 1)
    loss = unbiased_cross_entropy(logits, torch.full((1, 1, 1), label), num_old=4)
    assert loss.dtype == dtype
    assert loss.item() == pytest.approx(expected, abs=1e-9 if dtype == torch.float64 else 1e-6)


@pytest.mark.parametrize(
    ('num_old', 'value', 'gradient'),
    [
        (
            2,
            1.4569758175296252,
            [
                0.019343663716006345,
                0.01173252511492866,
                -0.07901717855052347,
                0.03189230982184994,
                0.004316154782809867,
                0.01173252511492866,
            ],
        ),
        (
            4,
            0.6516719243094494,
            [
                -0.0046138346736799354,
                -0.0027984321884321137,
                -0.0010294856696365816,
                -0.0076069273659898975,
                0.004316154782809867,
                0.01173252511492866,
            ],
        ),
        (
            5,
            0.3487703391394641,
            [
                -0.0031696572428415934,
                -0.001922494298563636,
                -0.000707246128210875,
                -0.005225881317101652,
                -0.000707246128210875,
                0.01173252511492866,
            ],
        ),
    ],
)
def test_published_implementation(num_old, value, gradient):
    """If it fails, we no longer compute what the published MiB numbers were trained with."""
    # constants: from the published implementation (fcdl94/MiB), mean over all pixels
    logits = ramp(6, 3, 5).requires_grad_()
    target = (torch.arange(12) * 5 % 7).view(1, 3, 4)
    target[target == 6] = 255
    loss = unbiased_cross_entropy(logits, target, num_old)
    (computed,) = torch.autograd.grad(loss, logits)
    assert loss.item() == pytest.approx(value, rel=1e-12)
    torch.testing.assert_close(
        computed[0, :, 1, 2], torch.tensor(gradient, dtype=torch.float64), rtol=1e-12, atol=0
    )


@pytest.mark.parametrize('num_old', [0, 1, 2, 5, 7])
def test_equals_explicit_probabilities(num_old):
    """If it fails, the log-space short cut and the paper's equation have come apart."""
    logits, target = random_case(7, seed=num_old)
    assert (target == 255).any()
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    loss, expected = unbiased_cross_entropy(ours, target, num_old), naive(theirs, target, num_old)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize('num_old', [0, 1])
def test_without_old_classes_it_is_cross_entropy(num_old):
    """If it fails, FT and every base step no longer train on ordinary cross-entropy."""
    logits, target = random_case(7)
    expected = torch.nn.functional.cross_entropy(logits, target, ignore_index=255, reduction='none')
    torch.testing.assert_close(unbiased_cross_entropy(logits, target, num_old), expected.mean())


def test_all_outputs_old_is_zero():
    """If it fails, a step without new classes gets a loss (and a gradient) from nothing."""
    logits, target = random_case(5)
    logits.requires_grad_()
    loss = unbiased_cross_entropy(logits, target, 5)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.item() == pytest.approx(0, abs=1e-15)
    assert gradient.abs().max() < 1e-15


@pytest.mark.parametrize('num_old', [0, 1, 2, 4, 6])
def test_gradient_by_finite_differences(num_old):
    """If it fails, the optimiser is sent somewhere else than downhill."""
    logits, target = random_case(6, seed=3)
    assert torch.autograd.gradcheck(
        lambda z: unbiased_cross_entropy(z, target, num_old), logits.requires_grad_()
    )


@pytest.mark.parametrize('num_old', [1, 3])
def test_ignored_pixels(num_old):
    """If it fails, void pixels train the network, or leave the denominator of the mean."""
    logits, target = random_case(5, seed=1, ignored=0.5)
    logits.requires_grad_()
    loss = unbiased_cross_entropy(logits, target, num_old)
    gradient = torch.autograd.grad(loss, logits)[0].movedim(1, -1)
    ignored = target == 255
    assert (gradient[ignored] == 0).all()
    assert (gradient[~ignored].abs().sum(-1) > 0).all()
    rows = logits.detach().movedim(1, -1)[~ignored]  # the labelled pixels alone
    alone = unbiased_cross_entropy(rows.T[None, :, None], target[~ignored][None, None], num_old)
    torch.testing.assert_close(loss.detach() * target.numel(), alone * int((~ignored).sum()))


def test_everything_ignored_is_zero():
    """If it fails, an image of void alone gives NaN and stops the training."""
    logits = torch.randn(1, 4, 2, 2, requires_grad=True)
    loss = unbiased_cross_entropy(logits, torch.full((1, 2, 2), 255), 2)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.item() == 0
    assert (gradient == 0).all()


@pytest.mark.parametrize('half', [torch.bfloat16, torch.float16])
def test_half_types_are_raised(half):
    """If it fails, mixed precision sums probabilities in 8 or 11 bits (NaN, no learning)."""
    logits, target = random_case(6)
    logits = logits.to(half).requires_grad_()
    loss = unbiased_cross_entropy(logits, target, 3)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.dtype == torch.float32
    assert loss == unbiased_cross_entropy(logits.detach().float(), target, 3)
    assert gradient.dtype == half


@pytest.mark.parametrize('dtype', [torch.uint8, torch.int16, torch.int32])
def test_any_integer_target(dtype):
    """If it fails, the loader's uint8 labels have to be widened before they reach the loss."""
    logits, target = random_case(6)
    expected = unbiased_cross_entropy(logits, target, 3)
    assert unbiased_cross_entropy(logits, target.to(dtype), 3) == expected


@pytest.mark.parametrize('ignore_index', [-1, 255])
@pytest.mark.parametrize('num_old', [1, 250, 258])
def test_more_than_255_classes(num_old, ignore_index):
    """If it fails, large vocabularies confuse a class with void or wrap around at 256."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 300, 4, 5, generator=generator, dtype=torch.float64)
    target = torch.tensor([0, 1, 249, 250, 254, 255, 256, 257, 258, 299] * 2).view(1, 4, 5)
    target[0, 3] = ignore_index
    loss = unbiased_cross_entropy(logits, target, num_old, ignore_index)
    torch.testing.assert_close(loss, naive(logits, target, num_old, ignore_index))


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.float16])
def test_extreme_logits_stay_finite(dtype):
    """If it fails, one exploding pixel turns all weights into NaN."""
    signs = torch.tensor([[1, -1, -1, 1], [-1, 1, -1, -1], [-1, -1, 1, 1], [1, 1, 1, -1]])
    logits = (signs * 1e4).to(dtype).view(1, 4, 2, 2).requires_grad_()
    for target in (torch.zeros(1, 2, 2), torch.full((1, 2, 2), 3), torch.full((1, 2, 2), 255)):
        loss = unbiased_cross_entropy(logits, target.long(), 2)
        (gradient,) = torch.autograd.grad(loss, logits)
        assert torch.isfinite(loss)
        assert 0 <= loss <= 2e4
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize(
    ('target', 'num_old', 'message'),
    [
        ((2, 4, 4), 1, r'target is \(\(2, 3, 4, 5\), \(2, 4, 4\)\), expected'),
        ((1, 4, 5), 1, 'shape of logits and target is'),
        ((2, 1, 4, 5), 1, 'shape of logits and target is'),
        ((2, 4, 5), 4, 'num_old is 4, expected 0 to 3'),
        ((2, 4, 5), -1, 'num_old is -1, expected 0 to 3'),
    ],
)
def test_bad_shapes(target, num_old, message):
    """If it fails, a wrong shape broadcasts into a wrong number instead of an error."""
    with pytest.raises(ValueError, match=message):
        unbiased_cross_entropy(
            torch.zeros(2, 3, 4, 5), torch.zeros(target, dtype=torch.long), num_old
        )


@pytest.mark.parametrize('num_old', [0, 2])
def test_label_beyond_the_outputs(num_old):
    """If it fails, a label of a class that has no output is trained as another class."""
    for label in (3, -1):
        with pytest.raises(ValueError, match=f'label of target is {label}, expected 0 to 2'):
            unbiased_cross_entropy(torch.zeros(1, 3, 1, 1), torch.full((1, 1, 1), label), num_old)
    many = torch.zeros(1, 300, 1, 1)  # more channels than a byte has labels
    with pytest.raises(ValueError, match='label of target is 400, expected 0 to 299'):
        unbiased_cross_entropy(many, torch.full((1, 1, 1), 400), num_old)


def test_no_image():
    """If it fails, a batch without images has a loss of nan."""
    with pytest.raises(ValueError, match='target is .*, expected at least one image'):
        unbiased_cross_entropy(torch.zeros(0, 3, 2, 2), torch.zeros(0, 2, 2).long(), 1)
