"""EWC: the Fisher information, gathered in training or by one pass."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook

from incseg.apis import init_model
from incseg.engine import train_protocol
from incseg.engine.checkpoint import read_checkpoint
from incseg.engine.hooks import EWCHook
from incseg.engine.hooks.data_pass import data_pass, fisher_pass
from incseg.engine.hooks.importance import normalised
from incseg.errors import InvalidInputError
from incseg.registry import DATASETS, HOOKS

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
    with pytest.raises(InvalidInputError, match=r'hooks.ewc.alpha is .*, expected a number from 0'):
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


FOUND: list = []


@HOOKS.register_module()
class FisherHook(Hook):
    """Makes the pass twice before step 1 and by hand; looks at the student's gradients."""

    def before_train(self, runner):
        if 'step_1' not in runner.work_dir:
            return
        previous = runner.work_dir.replace('step_1', 'step_0/final.pth')
        before = {name: value.clone() for name, value in runner.model.state_dict().items()}
        FOUND.append([fisher_pass(runner, previous, alpha) for alpha in (0.9, 0.9, 1.0)])
        assert all(value.grad is None for value in runner.model.parameters())
        assert all(
            torch.equal(value, before[name]) for name, value in runner.model.state_dict().items()
        )
        FOUND.append(self.by_hand(runner, previous))

    def by_hand(self, runner, previous):
        """Squared gradients of every batch of the base step's data, network in eval mode."""
        network = init_model(self.config, previous, 'cpu').requires_grad_(True)
        settings = runner.cfg.train_dataloader.dataset.to_dict()
        squares = []
        for batch in data_pass(runner, DATASETS.build(dict(settings, step=0))):
            labels = torch.stack([s.gt_sem_seg.data[0] for s in batch['data_samples']])
            outputs = network.extract(batch['inputs'])
            sum(
                torch.nn.functional.cross_entropy(outputs.full_size(name), labels.long())
                for name in network.heads
            ).backward()
            squares.append({n: p.grad**2 for n, p in network.named_parameters()})
            network.zero_grad()
        return squares


def close(found, expected):
    """Equal up to the rounding of a backward pass in float32."""
    return (found - expected).abs().max() <= 1e-3 * expected.abs().max()


def test_against_plain_backward_passes(tiny, tmp_path):
    """0.9 g^2 + 0.1 F from 1 over all batches of step 0, cross-entropy of step 0's network.

    If it fails, EWC holds what matters to other data, another loss or another
    network.  And it repeats, leaves the student alone, and with alpha 1 is the
    last batch's.
    """
    FOUND.clear()
    config = tiny('ft')
    FisherHook.config = config
    config.custom_hooks = dict(fisher=dict(type='FisherHook'))
    train_protocol(config, tmp_path, steps=[0, 1])
    (first, second, last), squares = FOUND
    assert len(squares) > 1
    for name, value in first.items():
        assert torch.equal(value, second[name])
        expected = torch.ones_like(value)
        for square in squares:
            expected = 0.9 * square[name] + 0.1 * expected
        assert close(value, expected), name
        assert close(last[name], squares[-1][name]), name
    assert set(first) == set(squares[0])
    assert not any('steps.1' in name for name in first), "the base step's network"


@pytest.mark.parametrize('share', [None, 0.5])
def test_a_memory_is_no_part_of_it(share, tiny, tmp_path):
    """If it fails, EWC with a memory crashes, or counts exemplars as the base step's data."""
    found = []
    for name, memory in (('plain', None), ('memory', dict(size=6, batch_share=share))):
        FOUND.clear()
        config = FisherHook.config = tiny('ft', **{'method.memory': memory})
        config.custom_hooks = dict(fisher=dict(type='FisherHook'))
        train_protocol(config, tmp_path / name, steps=[0, 1])
        found.append(FOUND[0][0])
    plain, memory = found
    assert set(plain) == set(memory)
    assert all(torch.equal(value, memory[name]) for name, value in plain.items())


@pytest.mark.parametrize('loader', [[], [dict(type='LoadPseudoLabels')], [dict(type='LoadBoxes')]])
def test_a_step_that_reads_no_masks(loader):
    """If it fails, EWC on WILSON, on SEAM's labels or on labels of another repository ends in a
    traceback after the base step, or takes these labels for the base step's masks."""
    data = dict(type='D', pipeline=[dict(type='LoadImage'), *loader, dict(type='PackSegInputs')])
    runner = SimpleNamespace(cfg=Config(dict(train_dataloader=dict(dataset=data))))
    with pytest.raises(InvalidInputError, match='method.hooks: EWC and RW .* leave them out'):
        fisher_pass(runner, 'final.pth', 0.9)
