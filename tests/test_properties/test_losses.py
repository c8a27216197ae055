"""Losses and their gradients against the formulas, written out pixel by pixel."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from incseg.models.losses import functional

VOID = 255


def log_sum_exp(values):
    """The logarithm of a sum of exponentials, of numbers of torch."""
    top = max(float(value.detach()) for value in values)
    return top + sum((value - top).exp() for value in values).log()


def pixels(tensor):
    """The channels of every pixel of ``(N, C, H, W)``, as lists of numbers of torch."""
    return [list(pixel) for pixel in tensor.permute(0, 2, 3, 1).reshape(-1, tensor.shape[1])]


def gradient(loss, logits):
    """A loss and its gradient with respect to fresh logits."""
    logits = logits.clone().requires_grad_()
    value = loss(logits)
    value.backward()
    return value.detach(), logits.grad


def assert_same(ours, reference, logits):
    """Two losses have the same value and the same gradient."""
    for made, wanted in zip(gradient(ours, logits), gradient(reference, logits)):
        torch.testing.assert_close(made, wanted, rtol=1e-9, atol=1e-12)


@st.composite
def cases(draw):
    """Logits of student and teacher, float64, of any size and scale, and labels with void."""
    shape = [draw(st.integers(1, most)) for most in (2, 5, 3, 3)]
    images, channels, height, width = shape
    num_old = draw(st.integers(1, channels))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([0.0, 1.0, 10.0, 300.0]))
    logits = scale * torch.randn(shape, generator=generator, dtype=torch.float64)
    teacher = scale * torch.randn(
        (images, num_old, height, width), generator=generator, dtype=torch.float64
    )
    label = st.one_of(st.integers(0, channels - 1), st.just(VOID))
    count = images * height * width
    labels = draw(st.lists(label, min_size=count, max_size=count))
    return logits, teacher, torch.tensor(labels).view(images, height, width), num_old


@given(cases())
def test_unbiased_cross_entropy(case):
    """If it fails, MiB, PLOP and ILT learn something else than the papers' loss."""
    logits, _, target, num_old = case

    def reference(logits):
        total = logits.sum() * 0
        for channels, label in zip(pixels(logits), target.flatten().tolist()):
            if label == VOID:
                continue
            chosen = channels[:num_old] if label < num_old else [channels[label]]
            total = total + log_sum_exp(channels) - log_sum_exp(chosen)
        return total / target.numel()

    assert_same(
        lambda logits: functional.unbiased_cross_entropy(logits, target, num_old),
        reference,
        logits,
    )


@given(cases(), st.sampled_from([0.25, 1.0, 3.0]))
def test_distillation(case, alpha):
    """If it fails, LwF and ILT keep something else than the teacher's probabilities."""
    logits, teacher, _, num_old = case

    def reference(logits):
        total = logits.sum() * 0
        for channels, theirs in zip(pixels(logits), pixels(alpha * teacher)):
            total_theirs = log_sum_exp(theirs)
            for c in range(num_old):
                share = (theirs[c] - total_theirs).exp()
                total = total - share * (channels[c] - log_sum_exp(channels[:num_old]))
        return total / (teacher.numel())

    assert_same(lambda logits: functional.distillation(logits, teacher, alpha), reference, logits)


@given(cases(), st.sampled_from([0.25, 1.0, 3.0]))
def test_unbiased_distillation(case, alpha):
    """If it fails, MiB compares the teacher's background with another sum of classes."""
    logits, teacher, _, num_old = case

    def reference(logits):
        total = logits.sum() * 0
        for channels, theirs in zip(pixels(logits), pixels(alpha * teacher)):
            total_theirs = log_sum_exp(theirs)
            for c in range(num_old):
                share = (theirs[c] - total_theirs).exp()
                own = [channels[0], *channels[num_old:]] if c == 0 else [channels[c]]
                total = total - share * (log_sum_exp(own) - log_sum_exp(channels))
        return total / teacher.numel()

    assert_same(
        lambda logits: functional.unbiased_distillation(logits, teacher, alpha), reference, logits
    )


@given(cases())
def test_binary_losses(case):
    """If it fails, LwF-MC and WILSON learn something else than one sigmoid per class."""
    logits, teacher, target, num_old = case

    def term(logit, wanted):  # -t log s(z) - (1 - t) log(1 - s(z)), of numbers of any size
        zero = torch.zeros_like(logit)
        return log_sum_exp([zero, logit]) - wanted * logit

    def hard(logits):
        total = logits.sum() * 0
        for channels, label in zip(pixels(logits), target.flatten().tolist()):
            if label != VOID:
                total = total + sum(term(z, float(c == label)) for c, z in enumerate(channels))
        return total / target.numel()

    def soft(logits):
        total = logits.sum() * 0
        for channels, theirs in zip(pixels(logits), pixels(teacher)):
            total = total + sum(term(channels[c], theirs[c].sigmoid()) for c in range(num_old))
        return total / target.numel()

    assert_same(lambda logits: functional.binary_cross_entropy(logits, target), hard, logits)
    assert_same(lambda logits: functional.binary_distillation(logits, teacher), soft, logits)


@given(
    st.tuples(*[st.integers(1, most) for most in (2, 3, 6, 6)]),
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.integers(0, 2),
    st.integers(0, 2**32 - 1),
)
def test_pooled_distillation(shape, scales, new, seed):
    """If it fails, PLOP's strips are those of other tiles, or a new class is lost."""
    images, channels, height, width = shape
    generator = torch.Generator().manual_seed(seed)
    student = torch.randn(
        (images, channels + new, height, width), generator=generator, dtype=torch.float64
    )
    teacher = torch.randn(shape, generator=generator, dtype=torch.float64)

    def reference(student):
        total = student.sum() * 0
        for i in range(images):
            squares = student.sum() * 0
            for c in range(channels):
                own = student[i, c]
                if c == 0:
                    own = own + student[i, channels:].sum(0)
                gap = own**2 - teacher[i, c] ** 2
                for s in scales:
                    tall, wide = height // s, width // s
                    if not tall or not wide:
                        continue
                    for row in range(s):
                        for column in range(s):
                            tile = gap[row * tall : (row + 1) * tall, column * wide :][:, :wide]
                            strips = [*tile.mean(0), *tile.mean(1)]
                            squares = squares + sum(strip**2 for strip in strips)
            total = total + squares.sqrt()
        return total / images

    made, wanted = (
        gradient(loss, student)
        for loss in (
            lambda maps: functional.pooled_distillation([maps], [teacher], channels, [1.0], scales),
            reference,
        )
    )
    torch.testing.assert_close(made[0], wanted[0], rtol=1e-9, atol=1e-12)
    if wanted[0] > 0:  # at 0 a square root has no gradient
        torch.testing.assert_close(made[1], wanted[1], rtol=1e-9, atol=1e-12)


@given(cases())
def test_a_pixel_counts_alike_wherever_it_is(case):
    """If it fails, a loss depends on the order of the pixels, or void is no zero."""
    logits, _, target, num_old = case
    flat = logits.flatten(2)[..., None].flip(2), target.flatten(1)[..., None].flip(1)
    torch.testing.assert_close(
        functional.unbiased_cross_entropy(*flat, num_old),
        functional.unbiased_cross_entropy(logits, target, num_old),
    )
    void = torch.full_like(target, VOID)
    assert functional.unbiased_cross_entropy(logits, void, num_old) == 0


@given(cases(), st.integers(-2, 7))
def test_num_old_out_of_range(case, num_old):
    """If it fails, a step's losses run with the classes of another one."""
    logits, _, target, _ = case
    if not 0 <= num_old <= logits.shape[1]:
        with pytest.raises(ValueError, match=f'num_old is {num_old}, expected 0 to'):
            functional.unbiased_cross_entropy(logits, target, num_old)
    else:
        value = functional.unbiased_cross_entropy(logits, target, num_old)
        assert math.isfinite(value) and value >= -1e-12
