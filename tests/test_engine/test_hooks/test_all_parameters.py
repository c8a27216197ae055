"""The formulas of importance on lists: those of one tensor, bit for bit, in a few launches."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from incseg.engine.hooks import EWCHook, PathIntegralHook, RiemannianWalkHook
from incseg.engine.hooks.all_parameters import (
    add_walk_scores,
    fisher_averages,
    lengthen_paths,
    penalty_of_all,
    take_moves,
)
from incseg.engine.hooks.importance import (
    clipped_strength,
    fisher_average,
    quadratic_penalty,
    walk_score,
)

SHAPES = [(8, 4, 3, 3), (151,), (5, 64, 1, 1), ()]


@pytest.fixture(params=[torch.float32, torch.float64])
def tensors(request):
    """Tensors of several shapes, one with channels last; some values are 0."""
    generator = torch.Generator().manual_seed(0)

    def make(positive=False):
        made = [torch.randn(shape, generator=generator).to(request.param) for shape in SHAPES]
        made[0] = made[0].to(memory_format=torch.channels_last)
        made[1][:50] = 0
        return [x.abs() for x in made] if positive else made

    return make


def same(found, expected):
    assert len(found) == len(expected) == len(SHAPES)
    for a, b in zip(found, expected):
        assert torch.equal(a, b) and a.dtype == b.dtype and a.stride() == b.stride()


def test_fisher(tensors):
    """If it fails, what a step hands to the next one is another number than before."""
    fishers, gradients = tensors(positive=True), tensors()
    before = [x.clone() for x in fishers]
    found = fisher_averages(fishers, gradients, 0.9)
    same(found, [fisher_average(f, g, 0.9) for f, g in zip(fishers, gradients)])
    same(fishers, before)


def test_paths(tensors):
    """If it fails, PI's importance is another number."""
    paths, gradients, moves = tensors(), tensors(), tensors()
    expected = [p - g * m for p, g, m in zip(paths, gradients, moves)]
    lengthen_paths(paths, gradients, moves)
    same(paths, expected)


def test_walks(tensors):
    """If it fails, RW's importance is another number."""
    scores, gradients, moves, fishers = tensors(), tensors(), tensors(), tensors(positive=True)
    expected = [s + walk_score(g, m, f) for s, g, m, f in zip(scores, gradients, moves, fishers)]
    add_walk_scores(scores, gradients, moves, fishers)
    same(scores, expected)


@pytest.mark.parametrize('weight', [0.0, 500.0, 1e9])
def test_penalty(tensors, weight):
    """If it fails, the gradient is another one; the sum may differ in its last digits.

    Each parameter has its own rate, and a rate of 0 sets no limit.
    """
    gaps, importances, rates = tensors(), tensors(positive=True), [0.02, 0.001, 0.0, 0.5]
    pairs = [
        quadratic_penalty(gap, clipped_strength(importance, weight, rate))
        for gap, importance, rate in zip(gaps, importances, rates)
    ]
    penalty, gradients = penalty_of_all(gaps, importances, weight, rates)
    same(gradients, [gradient for _, gradient in pairs])
    torch.testing.assert_close(penalty, torch.stack([value for value, _ in pairs]).sum())


def test_moves():
    """If it fails, a parameter that had no gradient at first gets a move from nowhere."""
    parameters = dict(a=torch.ones(3), b=torch.ones(2))
    last = {}
    assert take_moves(parameters, last, ['a']) == {}
    parameters['a'] += 2
    moves = take_moves(parameters, last, ['a', 'b'])
    assert list(moves) == ['a'] and moves['a'].tolist() == [2, 2, 2]
    parameters['b'] -= 1
    moves = take_moves(parameters, last, ['a', 'b'])
    assert moves['a'].tolist() == [0, 0, 0] and moves['b'].tolist() == [-1, -1]
    assert last['b'].tolist() == [0, 0], 'a copy of its own'


class CountLaunches(TorchDispatchMode):
    """Counts the operations; a list of tensors is one."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if 'detach' not in str(func) and 'alias' not in str(func):
            self.names.append(str(func))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize('kind', [EWCHook, PathIntegralHook, RiemannianWalkHook])
def test_launches_do_not_grow_with_the_network(walk, kind):
    """If it fails, R101 costs thousands of launches an iteration on a GPU."""
    counts = {}
    for classes in ((3, 1, 2), (3, 1, 1, 1, 1)):
        walk.outputs = classes
        for k in range(len(classes)):
            model, hook, wrapper = walk.start(kind, k)
            model.loss(k).backward()
            for _ in range(2):
                with CountLaunches() as seen:
                    hook._after_backward()
            walk.save(model, k, {'held': hook.state()})
            counts[len(list(model.parameters()))] = seen.names
    (few, first), (*_, (many, last)) = list(counts.items())[1], list(counts.items())
    assert many > few
    assert len(last) == len(first) < 25, (first, last)
