"""PLOP's pooled distillation: a wrong strip or factor here is another method."""

import sys
from math import prod, sqrt

import pytest
import torch

from incseg.models.losses.functional import pooled_distillation

module = sys.modules['incseg.models.losses.functional.pooled_distillation']

#: sides of two layers, old and new outputs, scales, value, norm of each layer's gradient; all from
#: the published code (float64), factors 0.01 and, for the last layer, 0.0005
PUBLISHED = [
    (
        (8, 4),
        3,
        2,
        (1, 2, 4),
        0.0448678145789,
        (0.00325661662094, 0.00550927199473, 0.00140045942288),
    ),
    (
        (16, 8),
        16,
        1,
        (1, 2, 4),
        0.0397911012432,
        (0.00180611477406, 0.00323589249486, 0.000196737626614),
    ),
    (
        (7, 5),
        4,
        2,
        (1, 2, 4),
        0.0411689313654,
        (0.00465563220829, 0.00545489555316, 0.000668397116879),
    ),
    (
        (3, 2),
        4,
        1,
        (1, 2, 4),
        0.0197738788456,
        (0.00339971139998, 0.00537136845314, 0.000387262633854),
    ),
    ((8, 8), 3, 0, (1, 2), 0.0155965524718, (0.00180662931589, 0.00178846220992, 0.00011584293879)),
]


def wave(*shape, speed):
    """By arithmetic alone, so no generator's stream matters."""
    return (speed * torch.arange(prod(shape), dtype=torch.float64)).sin().view(shape)


def layers(sides, old, new, side=None):
    """Two layers of features and the logits, of both networks."""
    shapes = [(2, 3, sides[0], sides[0]), (2, 4, sides[1], side or sides[1])]
    last = shapes[1][2:]
    student = [wave(*s, speed=0.7) for s in shapes] + [wave(2, old + new, *last, speed=0.9)]
    teacher = [wave(*s, speed=0.3) for s in shapes] + [wave(2, old, *last, speed=0.4)]
    return [x.requires_grad_() for x in student], teacher


@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize('fast', [True, False])
@pytest.mark.parametrize('sides, old, new, scales, value, norms', PUBLISHED)
def test_published_values(sides, old, new, scales, value, norms, fast, layout, monkeypatch):
    """If it fails, the term or its gradient is not the published one (divisible sides or not)."""
    if not fast:
        monkeypatch.setattr(module, 'strips_by_products', module.strips_by_means)
    student, teacher = layers(sides, old, new)
    student = [x.detach().contiguous(memory_format=layout).requires_grad_() for x in student]
    loss = pooled_distillation(student, teacher, old, [0.01, 0.01, 0.0005], scales)
    assert loss.item() == pytest.approx(value, rel=1e-11)
    grads = torch.autograd.grad(loss, student)
    assert [grad.norm().item() for grad in grads] == pytest.approx(list(norms), rel=1e-9)


def test_by_hand():
    """If it fails, strips are sums, activations are not squared, or the batch is not averaged."""
    student = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]], [[[0.0, 0.0], [0.0, 0.0]]]])
    teacher = torch.zeros(2, 1, 2, 2)
    # squares 1 4 / 9 16: row means 2.5, 12.5; column means 5, 10
    expected = sqrt(2.5**2 + 12.5**2 + 5**2 + 10**2) / 2
    assert pooled_distillation([student], [teacher], 1, [3.0], (1,)).item() == pytest.approx(
        3 * expected
    )
    # at scale 2 every pixel is a tile and counts twice
    tiles = sqrt(2 * (1 + 16 + 81 + 256)) / 2
    assert pooled_distillation([student], [teacher], 1, [1.0], (2,)).item() == pytest.approx(tiles)
    two = pooled_distillation([student, student], [teacher, teacher], 1, [1.0, 1.0], (2,))
    assert two.item() == pytest.approx(tiles)  # the number of layers divides


@pytest.mark.parametrize('side', [8, 3])
def test_new_classes_join_the_background(side):
    """If it fails, a new class is punished for taking what was the background's.

    A side of 3 is also the number of old outputs.
    """
    teacher = wave(2, 3, side, side, speed=0.4)
    share = wave(2, 2, side, side, speed=0.9)
    student = torch.cat([teacher[:, :1] - share.sum(1, keepdim=True), teacher[:, 1:], share], 1)
    assert pooled_distillation([student], [teacher], 3, [1.0]).item() < 1e-14
    student[:, 1] += 0.1
    assert pooled_distillation([student], [teacher], 3, [1.0]).item() > 0.01


@pytest.mark.parametrize('fast', [True, False])
def test_equal_networks(fast, monkeypatch):
    """If it fails, the first iteration, where student and teacher are equal, brings NaN."""
    if not fast:
        monkeypatch.setattr(module, 'strips_by_products', module.strips_by_means)
    student, _ = layers((8, 4), 3, 0)
    loss = pooled_distillation(student, [x.detach().clone() for x in student], 3, [1.0, 1.0, 1.0])
    assert loss == 0
    for grad in torch.autograd.grad(loss, student):
        assert grad.isfinite().all() and not grad.any()


@pytest.mark.parametrize('shape', [(6, 9), (9, 6), (12, 20), (5, 3), (1, 7), (23, 30)])
def test_two_ways(shape):
    """If it fails, training on a GPU, tile by tile, is not what it is on a CPU."""
    x = wave(2, 3, *shape, speed=0.7).requires_grad_()
    scales = tuple(s for s in (1, 2, 4, 3) if s <= min(shape))
    squares, grads = [], []
    for way in (module.strips_by_means, module.strips_by_products):
        # as a distance: the products' rows hold zeros and another order
        squares.append(way(x, scales).square().sum(1))
        grads.append(torch.autograd.grad(squares[-1].sum(), x)[0])
    torch.testing.assert_close(*squares, rtol=1e-12, atol=0)
    torch.testing.assert_close(*grads, rtol=1e-10, atol=1e-14)


def test_maps_that_are_not_square():
    """If it fails, half of a wide image is not looked at: each side has its own tile."""
    student = torch.zeros(1, 1, 4, 8, dtype=torch.float64)
    teacher = student.clone()
    student[0, 0, 3, 7] = 1.0
    # scale 2: tiles of 2 x 4; the corner is in one row mean of 1/4 and one column mean of 1/2
    value = pooled_distillation([student], [teacher], 1, [1.0], (2,)).item()
    assert value == pytest.approx(sqrt(1 / 16 + 1 / 4))


def test_scales_larger_than_the_map():
    """If it fails, deep stages of small images make it NaN, or are left out altogether."""
    student, teacher = wave(2, 3, 2, 3, speed=0.7), wave(2, 3, 2, 3, speed=0.3)
    values = [
        pooled_distillation([student], [teacher], 3, [1.0], scales)
        for scales in ((1, 2, 4), (1, 2), (4,))
    ]
    torch.testing.assert_close(values[0], values[1])
    assert values[0] > 0 and values[2] == 0


def test_gradient_against_finite_differences():
    """If it fails, the gradient is wrong in a way that both forms may share."""
    student, teacher = layers((5, 4), 2, 1)
    assert torch.autograd.gradcheck(
        lambda *maps: pooled_distillation(maps, teacher, 2, [1.0, 1.0, 1.0]), student
    )


def test_teacher_gets_no_gradient():
    """If it fails, memory holds the teacher's graph."""
    student, teacher = layers((8, 4), 3, 2)
    for x in teacher:
        x.requires_grad_()
    loss = pooled_distillation(student, teacher, 3, [1.0, 1.0, 1.0])
    grads = torch.autograd.grad(loss, [*student, *teacher], allow_unused=True)
    assert all(grad is not None for grad in grads[:3])
    assert grads[3:] == (None,) * 3


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_types(dtype):
    """If it fails, squares overflow in float16, or are rounded to three digits under autocast."""
    student, teacher = layers((8, 4), 3, 2)
    student = [(20 * x).detach().to(dtype).requires_grad_() for x in student]
    teacher = [x.to(dtype) for x in teacher]
    with torch.autocast('cpu', torch.bfloat16):
        loss = pooled_distillation(student, teacher, 3, [1.0, 1.0, 1.0])
    assert loss.dtype == torch.float32
    exact = pooled_distillation(
        [x.double() for x in student], [x.double() for x in teacher], 3, [1.0, 1.0, 1.0]
    )
    assert loss.item() == pytest.approx(exact.item(), rel=1e-5)
    loss.backward()
    assert all(x.grad.dtype == dtype and x.grad.isfinite().all() for x in student)


def test_ade_sizes():
    """If it fails, 151 outputs, one of them new, are not folded into 150."""
    student, teacher = wave(1, 151, 4, 4, speed=0.9), wave(1, 150, 4, 4, speed=0.4)
    folded = torch.cat([student[:, :1] + student[:, 150:], student[:, 1:150]], 1)
    torch.testing.assert_close(
        pooled_distillation([student], [teacher], 150, [1.0]),
        pooled_distillation([folded], [teacher], 150, [1.0]),
    )


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(teacher_maps=[]), 'maps and factors is .1, 0, 1., expected'),
        (dict(factors=[1.0, 2.0]), 'maps and factors is .1, 1, 2., expected'),
        (dict(student_maps=[], teacher_maps=[], factors=[]), 'at least one layer'),
        (dict(num_old=4), r'num_old \(4\) channels'),
        (
            dict(teacher_maps=[torch.zeros(2, 3, 4, 5)]),
            'shape of the maps of student and teacher is',
        ),
        (
            dict(teacher_maps=[torch.zeros(2, 7, 4, 4)], num_old=7),
            'shape of the maps of student and teacher is',
        ),
        (dict(scales=(0, 1)), r'scales is \(0, 1\), expected'),
    ],
)
def test_bad_arguments(change, message):
    """If it fails, a mistake shows up as a broadcast or as a wrong number."""
    arguments = dict(
        student_maps=[torch.zeros(2, 5, 4, 4)],
        teacher_maps=[torch.zeros(2, 3, 4, 4)],
        num_old=3,
        factors=[1.0],
    )
    with pytest.raises(ValueError, match=message):
        pooled_distillation(**{**arguments, **change})
