"""Distillation terms: a wrong value here changes what is kept from the teacher."""

import pytest
import torch
from torch import Tensor

from incseg.models.losses.functional import distillation, unbiased_distillation

STUDENT, TEACHER = (
    (2.0, -1.0, 0.5, 1.0, 0.0, -0.5),
    (1.5, -0.5, 0.0, 0.25),
)  # K = 4, N = 2, one pixel
BOTH = pytest.mark.parametrize('term', [distillation, unbiased_distillation])


def naive(term, logits: Tensor, teacher_logits: Tensor, alpha: float) -> Tensor:
    """The definitions on explicit probabilities, class by class."""
    k = teacher_logits.shape[1]
    q = torch.exp(alpha * teacher_logits)
    q = q / q.sum(1, keepdim=True)
    if term is distillation:
        p = torch.exp(logits[:, :k])
        classes = list((p / p.sum(1, keepdim=True)).unbind(1))
    else:
        p = torch.exp(logits)
        p = p / p.sum(1, keepdim=True)
        classes = [p[:, 0] + p[:, k:].sum(1), *p[:, 1:k].unbind(1)]
    total = torch.stack([-q[:, c] * classes[c].log() for c in range(k)])
    return total.sum() / total.numel()


def random_pair(channels: int, num_old: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(2, channels, 3, 4, generator=generator, dtype=torch.float64) * 2,
        torch.randn(2, num_old, 3, 4, generator=generator, dtype=torch.float64) * 2,
    )


def ramp(channels: int, a: int, b: int) -> Tensor:
    """``(1, channels, 3, 4)`` by arithmetic alone, so no generator's stream matters."""
    c = torch.arange(channels, dtype=torch.float64).view(1, -1, 1, 1)
    i, j = torch.arange(3.0).view(1, 1, 3, 1), torch.arange(4.0).view(1, 1, 1, 4)
    return ((a * c * c + b * c * i + (i + 2 * j) * (c + 1)) % 7 - 3) / 2


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32])
@pytest.mark.parametrize(
    ('term', 'expected'), [(unbiased_distillation, 0.2811181515), (distillation, 0.2799086159)]
)
def test_golden_numbers(term, expected, dtype):
    """If it fails, the weights 10 and 100 of the papers mean something else here."""
    logits = torch.tensor(STUDENT, dtype=dtype).view(1, 6, 1, 1)
    loss = term(logits, torch.tensor(TEACHER, dtype=dtype).view(1, 4, 1, 1))
    assert loss.dtype == dtype
    assert loss.item() == pytest.approx(expected, abs=1e-9 if dtype == torch.float64 else 1e-6)


@pytest.mark.parametrize(
    ('term', 'alpha', 'value', 'gradient'),
    [
        (
            unbiased_distillation,
            1.0,
            0.4510696028260058,
            [
                0.003207470725342917,
                -0.0016625136563605107,
                -0.004519180661649781,
                -0.00015116828039673895,
                0.0019454293350511984,
                0.0011799625380129125,
            ],
        ),
        (
            unbiased_distillation,
            2.0,
            0.4349994852668475,
            [
                0.002539706010648065,
                -0.0002121618426039058,
                -0.005837622059357269,
                0.00103536270126163,
                0.001540409562114512,
                0.0009343056279369627,
            ],
        ),
        (
            distillation,
            1.0,
            0.3644105801668749,
            [
                0.00287061934778614,
                -0.0012402873712490856,
                -0.0033714506233336267,
                0.001741118646796578,
                0.0,
                0.0,
            ],
        ),
        (
            distillation,
            2.0,
            0.3331594009050673,
            [
                0.0015521779500786502,
                0.000210064442507519,
                -0.004689892021041114,
                0.0029276496284549453,
                0.0,
                0.0,
            ],
        ),
    ],
)
def test_published_implementation(term, alpha, value, gradient):
    """If it fails, we no longer compute what the published numbers were trained with."""
    # constants: from the published implementation (fcdl94/MiB)
    logits = ramp(6, 3, 5).requires_grad_()
    loss = term(logits, ramp(4, 2, 3), alpha)
    (computed,) = torch.autograd.grad(loss, logits)
    assert loss.item() == pytest.approx(value, rel=1e-12)
    torch.testing.assert_close(
        computed[0, :, 2, 1], torch.tensor(gradient, dtype=torch.float64), rtol=1e-10, atol=1e-16
    )


@BOTH
@pytest.mark.parametrize('alpha', [1.0, 0.5, 3.0])
@pytest.mark.parametrize(('channels', 'num_old'), [(2, 1), (5, 1), (5, 2), (5, 4), (5, 5)])
def test_equals_explicit_probabilities(term, channels, num_old, alpha):
    """If it fails, the log-space short cut and the paper's equation have come apart."""
    logits, teacher = random_pair(channels, num_old, seed=channels + num_old)
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    loss, expected = term(ours, teacher, alpha), naive(term, theirs, teacher, alpha)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-9, atol=1e-14)


@BOTH
@pytest.mark.parametrize('num_old', [1, 3, 5])
def test_gradient_by_finite_differences(term, num_old):
    """If it fails, the student is not pulled towards the teacher."""
    logits, teacher = random_pair(5, num_old)
    assert torch.autograd.gradcheck(lambda z: term(z, teacher, 1.5), logits.requires_grad_())


def test_plain_says_nothing_about_new_classes():
    """If it fails, LwF pushes the new classes' logits, which it must leave alone."""
    logits, teacher = random_pair(6, 4)
    logits.requires_grad_()
    (gradient,) = torch.autograd.grad(distillation(logits, teacher), logits)
    assert (gradient[:, 4:] == 0).all()
    assert (gradient[:, :4] != 0).all()


def test_unbiased_counts_new_classes_as_background():
    """If it fails, distillation fights the new classes on pixels the teacher calls background."""
    logits, teacher = random_pair(6, 4)
    moved = logits.clone()  # the background's probability handed to a new class
    moved[:, 0], moved[:, 5] = logits[:, 5], logits[:, 0]
    torch.testing.assert_close(
        unbiased_distillation(moved, teacher), unbiased_distillation(logits, teacher)
    )
    moved[:, 1], moved[:, 5] = logits[:, 0], logits[:, 1]  # but not to an old one
    assert unbiased_distillation(moved, teacher) != unbiased_distillation(logits, teacher)


@BOTH
def test_without_new_classes_the_best_student_is_the_teacher(term):
    """If it fails, the term's minimum is not at the teacher (entropy of its output over K)."""
    teacher = random_pair(4, 4)[1]
    q = teacher.softmax(1)
    entropy = -(q * q.log()).sum(1).mean() / 4
    student = teacher.clone().requires_grad_()
    loss = term(student, teacher)
    (gradient,) = torch.autograd.grad(loss, student)
    torch.testing.assert_close(loss.detach(), entropy)
    assert gradient.abs().max() < 1e-15
    assert term(teacher + torch.tensor([0.1, 0, 0, 0]).view(1, 4, 1, 1), teacher) > entropy


@BOTH
def test_alpha_scales_the_teacher_alone(term):
    """If it fails, alpha became a temperature of both and the published recipes change."""
    logits, teacher = random_pair(6, 4)
    torch.testing.assert_close(term(logits, teacher, 2.5), term(logits, teacher * 2.5))


@BOTH
@pytest.mark.parametrize('half', [torch.bfloat16, torch.float16])
def test_half_types_are_raised(term, half):
    """If it fails, mixed precision distils in 8 or 11 bits."""
    logits, teacher = (x.to(half) for x in random_pair(6, 4))
    loss = term(logits.requires_grad_(), teacher)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.dtype == torch.float32
    assert loss == term(logits.detach().float(), teacher.float())
    assert gradient.dtype == half


@BOTH
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.float16])
def test_extreme_logits_stay_finite(term, dtype):
    """If it fails, one over-confident pixel turns all weights into NaN."""
    logits = torch.tensor([1e4, -1e4, 1e4, -1e4, 1e4]).view(1, 5, 1, 1).to(dtype).requires_grad_()
    for teacher in ([1e4, -1e4, -1e4], [-1e4, 1e4, -1e4], [-1e4, -1e4, -1e4]):
        loss = term(logits, torch.tensor(teacher).view(1, 3, 1, 1).to(dtype))
        (gradient,) = torch.autograd.grad(loss, logits)
        assert torch.isfinite(loss)
        assert 0 <= loss <= 2e4
        assert torch.isfinite(gradient).all()


@BOTH
def test_many_classes(term):
    """If it fails, more than 255 old classes break the split into old and new."""
    logits, teacher = random_pair(320, 300)
    torch.testing.assert_close(term(logits, teacher), naive(term, logits, teacher, 1.0))


@BOTH
@pytest.mark.parametrize(
    ('teacher', 'message'),
    [
        ((2, 3, 4, 4), 'shape of logits and teacher_logits is'),
        ((1, 3, 4, 5), 'shape of logits and teacher_logits is'),
        ((2, 7, 4, 5), 'teacher is 7, expected 1 to 6'),
    ],
)
def test_bad_shapes(term, teacher, message):
    """If it fails, a teacher of another size or with more classes is compared all the same."""
    with pytest.raises(ValueError, match=message):
        term(torch.zeros(2, 6, 4, 5), torch.zeros(teacher))


@BOTH
def test_the_teacher_gets_no_gradient(term):
    """If it fails, a teacher that somebody forgot to freeze is trained."""
    logits, teacher = (x.requires_grad_() for x in random_pair(6, 4))
    term(logits, teacher).backward()
    assert logits.grad.any() and teacher.grad is None
