"""EWC: the Fisher information against the published code's, and the base step it shares."""

import pytest
import torch

from incseg.engine import train_protocol
from incseg.engine.checkpoint import read_checkpoint
from incseg.engine.hooks import EWCHook
from incseg.engine.hooks.importance import normalised
from incseg.errors import InvalidInputError

#: MiB's utils/regularizer.py on the same network and gradients: weight 5, 25 iterations a step
PUBLISHED = [
    dict(
        penalty=None,
        fisher={
            'body.weight': 0.0138007659482,
            'body.bias': 0.00332242535939,
            'steps.0.weight': 0.0304312964258,
            'steps.0.bias': 0.000237721174393,
        },
    ),
    dict(
        penalty=0.00123418960061,
        fisher={
            'body.weight': 0.00188471703878,
            'body.bias': 0.00171135142098,
            'steps.0.weight': 0.00189714109448,
            'steps.0.bias': 0.000600640509568,
            'steps.1.weight': 0.00151843696656,
            'steps.1.bias': 0.000483014906695,
        },
    ),
    dict(
        penalty=0.0138614257765,
        fisher={
            'body.weight': 0.0124203272092,
            'body.bias': 0.00407378093152,
            'steps.0.weight': 0.00904091293109,
            'steps.0.bias': 0.00249829327181,
            'steps.1.weight': 0.00705778056435,
            'steps.1.bias': 0.000340571946784,
            'steps.2.weight': 0.00747703213882,
            'steps.2.bias': 0.000300355301483,
        },
    ),
]


def ewc(**kwargs):
    return EWCHook(loss_weight=5.0, **kwargs)


@pytest.mark.parametrize('k', [0, 1, 2])
def test_published_figures(walk, k):
    """Penalty of the last iteration and mean Fisher information of every parameter."""
    for step in range(k + 1):
        _, hook, penalties = walk.step(ewc, step)
    expected = PUBLISHED[k]
    if expected['penalty'] is None:
        assert penalties == []
    else:
        assert penalties[-1] == pytest.approx(expected['penalty'], rel=1e-9)
    found = {name: float(value.mean()) for name, value in hook.state()['fisher'].items()}
    assert found == pytest.approx(expected['fisher'], rel=1e-9)


def test_importance_is_the_last_steps(walk):
    """Held by the normalised average, which itself goes on unnormalised; new tensors start at 1."""
    _, first, _ = walk.step(ewc, 0)
    _, second, _ = walk.start(ewc, 1)
    for name, value in first.state()['fisher'].items():
        assert torch.equal(second.importance[name], normalised(value))
        assert torch.equal(second.fisher[name], value)
    assert bool((second.fisher['steps.1.weight'] == 1).all())
    assert 'steps.1.weight' not in second.importance


def test_zero_gradients(walk):
    """Three times without gradient leave a thousandth of 1; normalised, nothing is important."""
    _, hook, _ = walk.start(ewc, 0)
    for _ in range(3):
        hook.gather({name: torch.zeros_like(value) for name, value in hook.parameters.items()})
    for value in hook.state()['fisher'].values():
        assert torch.allclose(value, torch.full_like(value, 1e-3))
        assert not normalised(value).any()


@pytest.mark.parametrize('alpha', [-0.1, 1.5, float('nan'), 'x'])
def test_alpha(alpha):
    """An average with a negative share would be no average."""
    with pytest.raises(InvalidInputError, match=r'hooks.ewc.alpha is .*, expected a number of 0'):
        EWCHook(alpha=alpha, name='ewc')


def test_the_base_step_is_any_methods(tiny, tmp_path):
    """Trained once by ft; EWC finds its importance there, and after it keeps its own."""
    train_protocol(tiny('ft'), tmp_path / 'ft', steps=[0])
    ledger = train_protocol(tiny('ewc'), tmp_path / 'ewc')
    assert 'reused_from' in ledger.steps[0] and len(list((tmp_path / 'base_steps').iterdir())) == 1
    states = [read_checkpoint(tmp_path / 'ewc' / f'step_{k}' / 'final.pth') for k in range(3)]
    assert 'method_state' not in states[0]
    for content in states[1:]:
        fisher = content['method_state']['ewc']['fisher']
        assert set(fisher) <= set(content['state_dict'])
        newest = max(name for name in fisher if name.startswith('decode_head.classifier.steps'))
        assert f'steps.{content["meta"]["step"]}.' in newest
        assert all(bool((value >= 0).all()) for value in fisher.values())
