"""RW: Fisher information and score against the published code's."""

import pytest
import torch

from incseg.engine import train_protocol
from incseg.engine.checkpoint import read_checkpoint
from incseg.engine.hooks import RiemannianWalkHook
from incseg.engine.hooks.importance import normalised
from incseg.errors import InvalidInputError

#: MiB's utils/regularizer.py on the same network and gradients: weight 1, 25 iterations a step
PUBLISHED = [
    dict(
        penalty=None,
        fisher={
            'body.weight': 0.0138007659482,
            'body.bias': 0.00332242535939,
            'steps.0.weight': 0.0304312964258,
            'steps.0.bias': 0.000237721174393,
        },
        score={
            'body.weight': 1891.25325307,
            'body.bias': 989.715006971,
            'steps.0.weight': 76.4850785769,
            'steps.0.bias': 0,
        },
    ),
    dict(
        penalty=0.00379131456345,
        fisher={
            'body.weight': 0.00185620570235,
            'body.bias': 0.00147681303048,
            'steps.0.weight': 0.00191570028905,
            'steps.0.bias': 0.000673257027686,
            'steps.1.weight': 0.00154025739652,
            'steps.1.bias': 0.00047775519617,
        },
        score={
            'body.weight': 3115.9056705,
            'body.bias': 3805.54004404,
            'steps.0.weight': 1257.71363,
            'steps.0.bias': 1036.70923251,
            'steps.1.weight': 1002.59582467,
            'steps.1.bias': 111.936464456,
        },
    ),
    dict(
        penalty=0.00692534076993,
        fisher={
            'body.weight': 0.0117643966918,
            'body.bias': 0.00371065890275,
            'steps.0.weight': 0.00765653436699,
            'steps.0.bias': 0.00322598116662,
            'steps.1.weight': 0.00770501464987,
            'steps.1.bias': 0.000333074053999,
            'steps.2.weight': 0.00704836959659,
            'steps.2.bias': 0.00020344412674,
        },
        score={
            'body.weight': 1585.58384476,
            'body.bias': 7073.38794193,
            'steps.0.weight': 1196.63127774,
            'steps.0.bias': 645.251194863,
            'steps.1.weight': 1260.52207971,
            'steps.1.bias': 55.9682322278,
            'steps.2.weight': 2009.37105475,
            'steps.2.bias': 150.18917193,
        },
    ),
]


def rw(**kwargs):
    return RiemannianWalkHook(loss_weight=1.0, **kwargs)


@pytest.mark.parametrize('k', [0, 1, 2])
def test_published_figures(walk, k):
    """Penalty of the last iteration, mean Fisher information and score of every parameter."""
    for step in range(k + 1):
        _, hook, penalties = walk.step(rw, step)
    expected = PUBLISHED[k]
    if expected['penalty'] is None:
        assert penalties == []
    else:
        assert penalties[-1] == pytest.approx(expected['penalty'], rel=1e-9)
    for part in ('fisher', 'score'):
        found = {name: float(value.mean()) for name, value in hook.state()[part].items()}
        assert found == pytest.approx(expected[part], rel=1e-9)


def test_every_ten_iterations(walk):
    """The move over all ten, the gradient of the tenth, the Fisher information before it.

    -(-2) * 0.5 / (0.5 * F * 0.25 + 1e-8) with F = 1 * 0.1^10 + 0 from ten zero gradients.
    """
    _, hook, _ = walk.start(rw, 0)
    for _ in range(10):
        hook.gather({'body.bias': torch.zeros(4, dtype=torch.float64)})
        with torch.no_grad():
            hook.parameters['body.bias'] += 0.05
    assert not hook.score['body.bias'].any()
    hook.gather({'body.bias': torch.full((4,), -2.0, dtype=torch.float64)})
    expected = torch.full((4,), 1.0 / (0.125e-10 + 1e-8), dtype=torch.float64)
    assert torch.allclose(hook.score['body.bias'], expected)
    assert not hook.score['body.weight'].any()


def test_scores_are_averaged(walk):
    """A step that moves nothing halves the old score; a new parameter's starts at 0."""
    _, first, _ = walk.step(rw, 0)
    _, second, _ = walk.start(rw, 1)
    before, after = first.state(), second.state()
    for name, value in before['score'].items():
        assert bool((value >= 0).all())
        assert torch.equal(after['score'][name], 0.5 * value)
        assert torch.equal(
            second.importance[name], normalised(before['fisher'][name]) + normalised(value)
        )
    assert not after['score']['steps.1.weight'].any()


@pytest.mark.parametrize('interval', [0, -1, 2.5, 'x'])
def test_interval(interval):
    """If it fails, a run dies at its first iteration, in a division."""
    message = f'^method.hooks.rw.interval is {interval!r}, expected a whole number of at least 1$'
    with pytest.raises(InvalidInputError, match=message):
        RiemannianWalkHook(interval=interval, name='rw')


def test_after_another_methods_base_step(tiny, tmp_path):
    """Step 1 is held by the Fisher information alone; what it leaves has a score too."""
    made = tiny('rw')
    made.method.hooks.rw.interval = 1
    train_protocol(made, tmp_path, steps=[0, 1])
    base, first = (read_checkpoint(tmp_path / f'step_{k}' / 'final.pth') for k in range(2))
    assert 'method_state' not in base
    state = first['method_state']['rw']
    assert set(state) == {'fisher', 'score'} and set(state['score']) == set(state['fisher'])
    assert sum(float(value.sum()) for value in state['score'].values()) > 0
