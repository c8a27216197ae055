"""PI: the score against the published code's, and the base step that is its own."""

import pytest
import torch

from incseg.engine import train_protocol
from incseg.engine.checkpoint import read_checkpoint
from incseg.engine.hooks import PathIntegralHook
from incseg.engine.hooks.importance import normalised
from incseg.errors import InvalidInputError

#: MiB's utils/regularizer.py on the same network and gradients: weight 5, 25 iterations a step
PUBLISHED = [
    dict(
        penalty=None,
        score={
            'body.weight': 21.9129571767,
            'body.bias': 0.27302985304,
            'steps.0.weight': 214.451584574,
            'steps.0.bias': 0.247533822099,
        },
    ),
    dict(
        penalty=0.00107684903506,
        score={
            'body.weight': 21.9212684871,
            'body.bias': 2.96541909478,
            'steps.0.weight': 214.481542071,
            'steps.0.bias': 3162.37497491,
            'steps.1.weight': 0.0792593902528,
            'steps.1.bias': 0.0913991403107,
        },
    ),
    dict(
        penalty=0.0238672663266,
        score={
            'body.weight': 56.5802272682,
            'body.bias': 54.898554505,
            'steps.0.weight': 222.25353502,
            'steps.0.bias': 3171.95091987,
            'steps.1.weight': 88.1659547901,
            'steps.1.bias': 0.457099510533,
            'steps.2.weight': 0.179221982183,
            'steps.2.bias': 0.0930705853783,
        },
    ),
]


def pi(**kwargs):
    return PathIntegralHook(loss_weight=5.0, **kwargs)


@pytest.mark.parametrize('k', [0, 1, 2])
def test_published_figures(walk, k):
    """Penalty of the last iteration and mean score of every parameter."""
    for step in range(k + 1):
        _, hook, penalties = walk.step(pi, step)
    expected = PUBLISHED[k]
    if expected['penalty'] is None:
        assert penalties == []
    else:
        assert penalties[-1] == pytest.approx(expected['penalty'], rel=1e-9)
    found = {name: float(value.mean()) for name, value in hook.state()['score'].items()}
    assert found == pytest.approx(expected['score'], rel=1e-9)


def test_the_path_is_the_loss_that_was_saved(walk):
    """Where the gradient is the same everywhere, the sum over the way is the exact difference.

    Three moves of -0.1, gradient 2: the loss fell by 0.2 a move, the first is
    not seen before the second iteration; score 0.4 / 0.2^2 = 10.
    """
    _, hook, _ = walk.start(pi, 0)
    for _ in range(3):
        hook.gather({'body.bias': torch.full((4,), 2.0, dtype=torch.float64)})
        with torch.no_grad():
            hook.parameters['body.bias'] -= 0.1
    assert torch.allclose(hook.path['body.bias'], torch.full((4,), 0.4, dtype=torch.float64))
    with torch.no_grad():
        hook.parameters['body.bias'] += 0.1
    score = hook.state()['score']
    assert torch.allclose(score['body.bias'], torch.full((4,), 10.0, dtype=torch.float64))
    assert not score['body.weight'].any(), 'no gradient, no way'


def test_scores_add_up(walk):
    """A step that moves nothing keeps the score; a new parameter's starts at 0."""
    _, first, _ = walk.step(pi, 0)
    _, second, _ = walk.start(pi, 1)
    before, after = first.state()['score'], second.state()['score']
    for name, value in before.items():
        assert torch.equal(after[name], value)
        assert torch.equal(second.importance[name], normalised(value))
    assert not after['steps.1.weight'].any()


def test_the_way_ends_where_the_training_does(walk):
    """If it fails, what moves the network after the training is divided by, as if it were the way.

    Score of a move of 0.2 that saved 0.4: 10, though the parameter is put back by 0.1.
    """
    _, hook, _ = walk.start(pi, 0)
    for _ in range(2):
        hook.gather({'body.bias': torch.full((4,), 2.0, dtype=torch.float64)})
        with torch.no_grad():
            hook.parameters['body.bias'] -= 0.2
    with torch.no_grad():
        hook.parameters['body.bias'] += 0.2
    hook.after_train(None)
    with torch.no_grad():
        hook.parameters['body.bias'] += 0.1
    score = hook.state()['score']['body.bias']
    assert torch.allclose(score, torch.full((4,), 10.0, dtype=torch.float64))


def test_beside_weight_fusion(tiny, tmp_path):
    """The same scores, PI's and RW's, with and without it; the networks differ.

    If it fails, a factor of 0.25 makes the scores of PI 16 times as large.
    """
    found = []
    for name, fusion in (('alone', None), ('fused', dict(type='WeightFusionHook', factor=0.25))):
        config = tiny('ft', **{'protocol.name': '5-1'})
        config.method.hooks = dict(
            fusion=fusion,
            pi=dict(type='PathIntegralHook', loss_weight=1.0),
            rw=dict(type='RiemannianWalkHook', loss_weight=1.0, interval=1),
        )
        train_protocol(config, tmp_path / name)
        found.append(read_checkpoint(tmp_path / name / 'step_1/final.pth'))
    alone, fused = found
    assert set(alone['method_state']) == set(fused['method_state']) == {'pi', 'rw'}
    for hook, parts in alone['method_state'].items():
        for part, values in parts.items():
            for name, value in values.items():
                assert torch.equal(value, fused['method_state'][hook][part][name]), (hook, name)
    weight = 'decode_head.classifier.steps.0.weight'
    assert not torch.equal(alone['state_dict'][weight], fused['state_dict'][weight])


@pytest.mark.parametrize('damping', [0.0, -1.0, 'x'])
def test_damping(damping):
    """If it fails, a parameter that did not move has the score 0 / 0."""
    with pytest.raises(InvalidInputError, match=r'pi.damping is .*, expected a number above 0'):
        PathIntegralHook(damping=damping, name='pi')


def test_the_base_step_is_its_own(tiny, tmp_path):
    """If it fails, PI reuses a base step without a score, or ft one with it."""
    train_protocol(tiny('ft'), tmp_path / 'ft', steps=[0])
    first = train_protocol(tiny('pi'), tmp_path / 'pi', steps=[0])
    again = train_protocol(tiny('pi'), tmp_path / 'again', steps=[0, 1])
    assert 'reused_from' not in first.steps[0] and 'reused_from' in again.steps[0]
    assert len(list((tmp_path / 'base_steps').iterdir())) == 2
    score = read_checkpoint(tmp_path / 'again/step_0/final.pth')['method_state']['pi']['score']
    assert sum(float(value.sum()) for value in score.values()) > 0
