"""LwF-MC's term: what it keeps of the teacher, and how much it weighs."""

import pytest
import torch
from torch import Tensor

from incseg.models.losses.functional import binary_distillation

STUDENT, TEACHER = (2.0, -1.0, 0.5, 1.0, 0.0, -0.5), (1.5, -0.5, 0.0, 0.25)
# constants: from the published implementation (fcdl94/MiB)
PUBLISHED = 2.977904176145376
PUBLISHED_GRADIENT = [0.0, -0.01625959541598242, -0.020409888533642433, 0.0, 0.0, 0.0]


def naive(logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """The definition on explicit probabilities: K times the mean over classes and pixels."""
    num_old = teacher_logits.shape[1]
    p, q = logits[:, :num_old].sigmoid(), teacher_logits.sigmoid()
    return num_old * -(q * p.log() + (1 - q) * (1 - p).log()).mean()


def random_pair(channels: int, num_old: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(channels + num_old)
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
def test_golden_number(dtype):
    """If it fails, the published weight of 10 means something else here."""
    loss = 10 * binary_distillation(
        torch.tensor(STUDENT, dtype=dtype).view(1, 6, 1, 1),
        torch.tensor(TEACHER, dtype=dtype).view(1, 4, 1, 1),
    )
    assert loss.dtype == dtype
    assert loss.item() == pytest.approx(26.5774358586, abs=1e-9 if dtype == torch.float64 else 1e-5)
    assert loss.item() / 40 == pytest.approx(0.6644358964, abs=1e-6), 'the mean over K classes'


def test_published_implementation():
    """If it fails, we no longer compute what the published numbers were trained with."""
    logits = ramp(6, 3, 5).requires_grad_()
    loss = binary_distillation(logits, ramp(4, 2, 3))
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.item() == pytest.approx(PUBLISHED, rel=1e-12)
    torch.testing.assert_close(
        gradient[0, :, 2, 1],
        torch.tensor(PUBLISHED_GRADIENT, dtype=torch.float64),
        rtol=1e-10,
        atol=1e-16,
    )


@pytest.mark.parametrize(('channels', 'num_old'), [(2, 1), (5, 1), (5, 4), (5, 5), (160, 151)])
def test_equals_explicit_probabilities(channels, num_old):
    """If it fails, the short cut and the definition have come apart (one new class; none; ADE)."""
    logits, teacher = random_pair(channels, num_old)
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    loss, expected = binary_distillation(ours, teacher), naive(theirs, teacher)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(loss, expected, rtol=1e-11, atol=1e-14)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-9, atol=1e-14)


def test_gradient_by_finite_differences():
    """If it fails, the student is not pulled towards the teacher."""
    logits, teacher = random_pair(5, 3)
    assert torch.autograd.gradcheck(
        lambda z: binary_distillation(z, teacher), logits.requires_grad_()
    )


def test_says_nothing_about_new_classes():
    """If it fails, the term pushes the new classes' logits, which it must leave alone."""
    logits, teacher = random_pair(6, 4)
    (gradient,) = torch.autograd.grad(binary_distillation(logits.requires_grad_(), teacher), logits)
    assert not gradient[:, 4:].any()
    assert (gradient[:, :4] != 0).all()


def test_the_best_student_is_the_teacher():
    """If it fails, the minimum is not at the teacher: the sum of its binary entropies."""
    teacher = random_pair(4, 4)[1]
    q = teacher.sigmoid()
    entropy = -(q * q.log() + (1 - q) * (1 - q).log()).sum(1).mean()
    student = teacher.clone().requires_grad_()
    loss = binary_distillation(student, teacher)
    (gradient,) = torch.autograd.grad(loss, student)
    torch.testing.assert_close(loss.detach(), entropy)
    assert gradient.abs().max() < 1e-15
    for shift in (-0.1, 0.1):
        assert binary_distillation(teacher + shift, teacher) > entropy


@pytest.mark.parametrize('half', [torch.bfloat16, torch.float16])
def test_half_types_are_raised(half):
    """If it fails, mixed precision distils in 8 or 11 bits."""
    logits, teacher = (x.to(half) for x in random_pair(6, 4))
    loss = binary_distillation(logits.requires_grad_(), teacher)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.dtype == torch.float32 and gradient.dtype == half
    assert loss == binary_distillation(logits.detach().float(), teacher.float())


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.float16])
def test_extreme_logits(dtype):
    """If it fails, one over-confident pixel turns all weights into NaN, or is let off."""
    logits = torch.tensor([1e3, -1e3, 1e3]).view(1, 3, 1, 1).to(dtype).requires_grad_()
    for teacher, expected, gradient in (
        ([1e3, -1e3], 0, [0, 0, 0]),
        ([-1e3, -1e3], 1e3, [1, 0, 0]),
        ([-1e3, 1e3], 2e3, [1, -1, 0]),
    ):
        loss = binary_distillation(logits, torch.tensor(teacher).view(1, 2, 1, 1).to(dtype))
        (found,) = torch.autograd.grad(loss, logits)
        assert loss.item() == expected
        assert found.flatten().tolist() == gradient


@pytest.mark.parametrize(
    ('teacher', 'message'),
    [
        ((2, 3, 4, 4), 'shape of logits and teacher_logits is'),
        ((1, 3, 4, 5), 'shape of logits and teacher_logits is'),
        ((2, 7, 4, 5), 'teacher is 7, expected 1 to 6'),
    ],
)
def test_bad_shapes(teacher, message):
    """If it fails, a teacher of another size or with more classes is compared all the same."""
    with pytest.raises(ValueError, match=message):
        binary_distillation(torch.zeros(2, 6, 4, 5), torch.zeros(teacher))


def test_the_teacher_gets_no_gradient():
    """If it fails, a teacher that somebody forgot to freeze is trained."""
    logits, teacher = (torch.randn(2, n, 3, 4, requires_grad=True) for n in (6, 4))
    binary_distillation(logits, teacher).backward()
    assert logits.grad.any() and teacher.grad is None
