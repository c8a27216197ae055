"""The Fisher information from one pass over the base step's data."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook

from incseg.apis import init_model
from incseg.engine import train_protocol
from incseg.engine.hooks.data_pass import data_pass, fisher_pass
from incseg.errors import InvalidInputError
from incseg.registry import DATASETS, HOOKS

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
