"""The fused losses against the plain ones: values, gradients, numbers far apart, memory."""

import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from incseg.models.losses import functional
from incseg.models.losses.functional import (
    distillation,
    unbiased_cross_entropy,
    unbiased_distillation,
)
from incseg.models.losses.fused import fused_incremental_loss, fused_losses

CASES = [  # channels, teacher's, num_old
    (6, 4, 4),
    (6, 5, 5),
    (6, 4, 0),
    (6, 4, 1),
    (6, 6, 6),
    (6, 1, 1),
    (6, 3, 5),
    (6, 5, 3),
    (2, 1, 1),
    (151, 101, 101),
]
SIZES = [
    ((4, 5), (32, 40)),
    ((4, 5), (13, 29)),
    ((7, 3), (7, 3)),
    ((6, 6), (5, 4)),
    ((1, 1), (8, 8)),
]


def tensors(channels, teacher, low, full, dtype=torch.float64, scale=3.0):
    generator = torch.Generator().manual_seed(channels + teacher)
    logits = scale * torch.randn(2, channels, *low, generator=generator, dtype=dtype)
    teacher_logits = scale * torch.randn(2, teacher, *low, generator=generator, dtype=dtype)
    target = torch.randint(0, channels, (2, *full), generator=generator).to(torch.uint8)
    target[0, :2] = 255
    return logits.requires_grad_(), teacher_logits, target


def upsampled(x, full):
    return F.interpolate(x, full, mode='bilinear', align_corners=False)


@pytest.mark.parametrize('case, sizes', list(product(CASES, SIZES)))
def test_equals_the_plain_form(case, sizes):
    """If it fails, training by default is not MiB."""
    (channels, old, num_old), (low, full) = case, sizes
    logits, teacher, target = tensors(channels, old, low, full)
    fused = fused_incremental_loss(logits, teacher, target, num_old, 7.0, 1.5)
    (fused_grad,) = torch.autograd.grad(fused, logits)
    plain = unbiased_cross_entropy(upsampled(logits, full), target, num_old) + (
        7 * unbiased_distillation(upsampled(logits, full), upsampled(teacher, full), 1.5)
    )
    (plain_grad,) = torch.autograd.grad(plain, logits)
    torch.testing.assert_close(fused, plain, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(fused_grad, plain_grad, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize('unbiased', [True, False])
def test_each_term_has_its_own_gradient(unbiased):
    """If it fails, a weight on one loss weighs the other, or LwF's term is MiB's."""
    logits, teacher, target = tensors(6, 4, (4, 5), (32, 40))
    compare = unbiased_distillation if unbiased else distillation
    plain = (
        unbiased_cross_entropy(upsampled(logits, (32, 40)), target, 4),
        compare(upsampled(logits, (32, 40)), upsampled(teacher, (32, 40))),
    )
    fused = fused_losses(logits, teacher, target, num_old=4, unbiased=unbiased)
    for weights in ((1.0, 0.0), (0.0, 1.0), (2.0, -3.0)):
        totals = [sum(w * x for w, x in zip(weights, terms)) for terms in (plain, fused)]
        grads = [torch.autograd.grad(x, logits, retain_graph=True)[0] for x in totals]
        torch.testing.assert_close(*totals)
        torch.testing.assert_close(*grads)
    alone = fused_losses(logits, teacher, size=(32, 40), unbiased=unbiased)
    assert alone[0] == 0
    torch.testing.assert_close(alone[1], plain[1])


def test_gradient_against_finite_differences():
    """If it fails, the analytic gradient is wrong where the plain form might be too."""
    logits, teacher, target = tensors(5, 3, (2, 3), (5, 7))
    assert torch.autograd.gradcheck(
        lambda x: fused_incremental_loss(x, teacher, target, 3, 10.0), (logits,)
    )


@pytest.mark.parametrize('dtype, tolerance', [(torch.float32, 2e-6), (torch.bfloat16, 1e-2)])
def test_other_types(dtype, tolerance):
    """If it fails, training in float32 or under autocast has another loss."""
    logits, teacher, target = tensors(21, 16, (8, 8), (64, 64))
    half, half_teacher = logits.detach().to(dtype).requires_grad_(), teacher.to(dtype)
    with torch.autocast('cpu', torch.bfloat16):
        loss = fused_incremental_loss(half, half_teacher, target, 16)
    loss.backward()
    assert loss.dtype is torch.float32 and half.grad.dtype is dtype
    exact = fused_incremental_loss(
        half.detach().double().requires_grad_(), half_teacher.double(), target, 16
    )
    torch.testing.assert_close(loss.double(), exact, rtol=1e-6, atol=0)
    wide = half.detach().double().requires_grad_()
    fused_incremental_loss(wide, half_teacher.double(), target, 16).backward()
    assert (half.grad.double() - wide.grad).abs().max() < tolerance * wide.grad.abs().max()


def test_logits_far_apart():
    """If it fails, a confident network meets an infinite or undefined loss."""
    logits, teacher, target = tensors(6, 4, (4, 4), (32, 32), torch.float32, scale=2000.0)
    fused = fused_incremental_loss(logits, teacher, target, 4)
    plain = unbiased_cross_entropy(upsampled(logits, (32, 32)), target, 4) + (
        unbiased_distillation(upsampled(logits, (32, 32)), upsampled(teacher, (32, 32)))
    )
    torch.testing.assert_close(fused, plain)
    torch.testing.assert_close(*(torch.autograd.grad(x, logits)[0] for x in (fused, plain)))


@pytest.mark.parametrize('weight', [(1.0, 1.0), (0.25, 0.0), (0.0, 0.0), (3.0, 0.5)])
@pytest.mark.parametrize(
    'case, sizes',
    [
        ((6, 4, 4), SIZES[0]),
        ((6, 4, 0), SIZES[1]),
        ((6, 4, 4), SIZES[2]),
        ((151, 101, 101), SIZES[0]),
    ],
)
@pytest.mark.parametrize('dtype', [torch.uint8, torch.int64])
def test_image_weight(case, sizes, weight, dtype):
    """If it fails, PLOP's adaptive factor weighs other images, or the distillation too."""
    (channels, old, num_old), (low, full) = case, sizes
    logits, teacher, target = tensors(channels, old, low, full)
    target, factor = target.to(dtype), torch.tensor(weight)
    fused = fused_losses(logits, teacher, target, num_old=num_old, image_weight=factor)
    plain = (
        unbiased_cross_entropy(upsampled(logits, full), target, num_old, image_weight=factor),
        unbiased_distillation(upsampled(logits, full), upsampled(teacher, full)),
    )
    torch.testing.assert_close(fused, plain, rtol=1e-12, atol=1e-14)
    for a, b in zip(fused, plain):
        grads = [torch.autograd.grad(x, logits, retain_graph=True)[0] for x in (a, b)]
        torch.testing.assert_close(*grads, rtol=1e-9, atol=1e-14)
    alone, _ = fused_losses(logits, None, target, num_old=num_old, image_weight=factor)
    torch.testing.assert_close(alone, plain[0], rtol=1e-12, atol=1e-14)
    if weight == (1.0, 1.0):
        without = fused_losses(logits, teacher, target, num_old=num_old)
        assert all(torch.equal(a, b) for a, b in zip(fused, without))


def test_image_weight_and_many_classes():
    """If it fails, int64 labels above 255 are lost on the way to weighted images."""
    logits, _, _ = tensors(300, 257, (3, 3), (9, 9))
    target = torch.arange(2 * 81).view(2, 9, 9) + 138
    factor = torch.tensor([0.5, 2.0])
    fused, _ = fused_losses(logits, None, target, image_weight=factor)
    plain = unbiased_cross_entropy(upsampled(logits, (9, 9)), target, 0, image_weight=factor)
    torch.testing.assert_close(fused, plain, rtol=1e-12, atol=0)
    grads = [torch.autograd.grad(x, logits)[0] for x in (fused, plain)]
    torch.testing.assert_close(*grads, rtol=1e-9, atol=1e-14)


def test_image_weight_of_another_batch():
    """If it fails, a weight too many is silently dropped."""
    logits, _, target = tensors(6, 4, (4, 4), (32, 32))
    with pytest.raises(ValueError, match=r'image_weight is \(3,\), expected \(2,\)'):
        fused_losses(logits, None, target, image_weight=torch.ones(3))


def test_all_ignored():
    """If it fails, a batch of void pixels moves the network."""
    logits, _, target = tensors(6, 4, (4, 4), (32, 32))
    loss = fused_incremental_loss(logits, None, torch.full_like(target, 255), 4)
    (grad,) = torch.autograd.grad(loss, logits)
    assert loss == 0 and not grad.any()


def test_no_gradient_is_asked_for():
    """If it fails, the loss cannot be read in evaluation, or the teacher is trained."""
    logits, teacher, target = tensors(6, 4, (4, 4), (32, 32))
    teacher.requires_grad_()
    loss = fused_incremental_loss(logits, teacher, target, 4)
    assert torch.autograd.grad(loss, [logits, teacher], allow_unused=True)[1] is None
    with torch.no_grad():
        torch.testing.assert_close(fused_incremental_loss(logits, teacher, target, 4), loss)


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(num_old=7), 'num_old is 7, expected 0 to 6'),
        (dict(logits=torch.zeros(6, 4, 4)), r'logits is \(6, 4, 4\), expected'),
        (dict(target=torch.zeros(3, 8, 8).long()), 'shape of logits and .* is'),
        (dict(teacher_logits=torch.zeros(2, 7, 4, 4)), 'teacher is 7, expected 1 to 6'),
        (dict(teacher_logits=torch.zeros(2, 4, 5, 4)), 'shape of logits and .* is'),
        (
            dict(teacher_logits=torch.zeros(2, 0, 4, 4)),
            'teacher is 0, expected 1 to 6',
        ),
        (
            dict(
                logits=torch.zeros(0, 6, 4, 4),
                teacher_logits=None,
                target=torch.zeros(0, 8, 8).long(),
            ),
            'target is .0, 8, 8., expected at least one',
        ),
        (dict(target=torch.full((2, 8, 8), -1)), 'target is -1, expected 0 to 5 .* or 255'),
        (dict(target=torch.full((2, 8, 8), 6, dtype=torch.uint8)), 'target is 6, expected 0 to 5'),
    ],
)
def test_bad_shapes(change, message):
    """If it fails, a mistake in a custom head shows up as a broadcast."""
    arguments = dict(
        logits=torch.zeros(2, 6, 4, 4),
        teacher_logits=torch.zeros(2, 4, 4, 4),
        target=torch.zeros(2, 8, 8).long(),
        num_old=4,
    )
    with pytest.raises(ValueError, match=message):
        fused_incremental_loss(**{**arguments, **change})


def test_neither_target_nor_size():
    """If it fails, a distillation without a size is silently computed at low resolution."""
    with pytest.raises(ValueError, match='needs a target or a size'):
        fused_losses(torch.zeros(1, 2, 4, 4), torch.zeros(1, 1, 4, 4))


def test_neither_target_nor_teacher():
    """If it fails, the mistake is an IndexError in the backward pass."""
    with pytest.raises(ValueError, match='needs a target or teacher_logits'):
        fused_losses(torch.zeros(1, 2, 4, 4), size=(8, 8))


def test_another_label_is_ignored():
    """If it fails, -1 cannot mean void."""
    logits, _, target = tensors(6, 4, (4, 4), (32, 32))
    expected = fused_incremental_loss(logits, None, target, 4)
    found = fused_incremental_loss(
        logits, None, target.long().where(target != 255, -1), 4, ignore_index=-1
    )
    torch.testing.assert_close(found, expected)


MEMORY = """
import torch
from incseg.models.losses.fused import fused_incremental_loss
def peak(size):
    logits = torch.zeros(1, 21, size // 8, size // 8, requires_grad=True)
    target = torch.zeros(1, size, size, dtype=torch.uint8)
    fused_incremental_loss(logits, logits[:, :16].detach(), target, 16).backward()
    status = open('/proc/self/status').read()
    return int(status.split('VmHWM:')[1].split()[0]) / 1024
before = peak(512)
print(peak(1024) - before)
"""


@pytest.mark.skipif(not Path('/proc/self/status').exists(), reason='reads memory from /proc')
def test_no_full_size_tensor():
    """If it fails, memory grows by full-size logits: 88 MB a copy at 1024 pixels."""
    done = subprocess.run(
        [sys.executable, '-c', MEMORY], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 60


@pytest.mark.parametrize('function', [fused_losses, fused_incremental_loss])
def test_their_place_of_before(function):
    """If it fails, a script written for 0.1 stops at its import."""
    assert function.__name__ not in vars(functional), 'it is not imported with them'
    with pytest.warns(DeprecationWarning, match=f'is now .*losses.fused.{function.__name__}'):
        assert getattr(functional, function.__name__) is function
    with pytest.raises(AttributeError, match='no_such_loss'):
        functional.no_such_loss  # noqa: B018
