"""A network whose structure changes from step to step is a registered class, and nothing else."""

import pytest
import torch
from mmengine.hooks import Hook
from torch import nn

from incseg.apis import init_model
from incseg.engine import Experiment, train_protocol
from incseg.engine.checkpoint import read_step_checkpoint
from incseg.engine.evaluate import evaluate_checkpoint
from incseg.engine.figures.predictions import load_network
from incseg.models import IncrementalSegmentor
from incseg.registry import HOOKS, MODELS


class Branched(nn.Module):
    """A backbone with linear branches on its last map, of which the mean counts."""

    def __init__(self, backbone, count):
        super().__init__()
        self.inner, self.out_channels = backbone, backbone.out_channels
        channels = self.out_channels[-1]
        self.branches = nn.ModuleList(nn.Conv2d(channels, channels, 1) for _ in range(count))

    def forward(self, images):
        *maps, last = self.inner(images)
        return [*maps, sum(branch(last) for branch in self.branches) / len(self.branches)]


@MODELS.register_module(force=True)
class TwoBranches(IncrementalSegmentor):
    """One branch at step 0, later a frozen one that keeps and one that learns, as in RCIL.

    Both are merged when the next step begins; being linear, their mean is one branch.
    """

    def __init__(self, backbone, decode_head, outputs_per_step, **kwargs):
        super().__init__(backbone, decode_head, outputs_per_step, **kwargs)
        self.backbone = Branched(self.backbone, 1 if len(outputs_per_step) == 1 else 2)
        if len(self.backbone.branches) == 2:
            self.backbone.branches[0].requires_grad_(False)

    def adapt_previous(self, state):
        for key in ('weight', 'bias'):
            names = [f'backbone.branches.{i}.{key}' for i in (0, 1)]
            merged = torch.stack([state[name] for name in names if name in state]).mean(0)
            state.update(dict.fromkeys(names, merged))
        return state


@HOOKS.register_module(force=True)
class BranchWatch(Hook):
    """Compares student and teacher as a step begins; stops step 2 where that is asked for."""

    seen: list = []
    stop = False
    priority = 'LOWEST'

    def before_train(self, runner):
        model = runner.model
        if getattr(model, 'teacher', None) is None:
            return
        images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        model.eval()
        with torch.no_grad():
            features = [net.extract(images).features[-1] for net in (model, model.teacher)]
        counts = [len(net.backbone.branches) for net in (model, model.teacher)]
        gap = float((features[0] - features[1]).abs().max())
        BranchWatch.seen.append((counts, gap))

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if self.stop and 'step_2' in runner.work_dir and batch_idx == 2:
            BranchWatch.stop = False
            raise KeyboardInterrupt


@pytest.fixture
def branched(tiny):
    def load(method='mib'):
        config = tiny(method, epochs=2)
        config.model.type = 'TwoBranches'
        config.custom_hooks = dict(watch=dict(type='BranchWatch'))
        return config

    BranchWatch.seen, BranchWatch.stop = [], False
    yield load
    BranchWatch.stop = False


def weights(work_dir, k):
    return read_step_checkpoint(work_dir / f'step_{k}/final.pth')['state_dict']


def branches(state):
    return [state[name] for name in sorted(state) if 'branches' in name and name.endswith('weight')]


def test_branches_merge_from_step_to_step(branched, tmp_path):
    """If it fails, such a network needs an edit of the library, or starts a step from other
    features than the previous step ended with; an interrupted step ends as an uninterrupted one."""
    config = branched()
    ledger = train_protocol(config, tmp_path / 'a')
    assert [counts for counts, _ in BranchWatch.seen] == [[2, 1], [2, 2]]
    assert all(gap < 1e-5 for _, gap in BranchWatch.seen), 'the mean of both is the old branch'
    saved = [branches(weights(tmp_path / 'a', k)) for k in range(3)]
    assert [len(state) for state in saved] == [1, 2, 2]
    assert torch.equal(saved[1][0], saved[0][0]), 'the first is frozen'
    assert not torch.equal(saved[1][1], saved[0][0])
    assert torch.equal(saved[2][0], torch.stack(saved[1]).mean(0)), 'merged'

    BranchWatch.stop = True
    with pytest.raises(KeyboardInterrupt):
        train_protocol(config, tmp_path / 'b')
    assert (tmp_path / 'b/step_2/resume.pth').is_file()
    resumed = train_protocol(config, tmp_path / 'b', resume=True)
    straight, again = weights(tmp_path / 'a', 2), weights(tmp_path / 'b', 2)
    assert straight.keys() == again.keys()
    assert all(torch.equal(again[name], straight[name]) for name in straight)
    assert resumed.steps[2]['iou'] == ledger.steps[2]['iou']

    path = tmp_path / 'a/step_1/final.pth'
    entry = evaluate_checkpoint(config, path, tmp_path / 'test')
    assert entry['iou'] == ledger.steps[1]['iou']
    assert len(init_model(config, path, 'cpu').backbone.branches) == 2
    assert len(load_network(Experiment(config), path).backbone.branches) == 2


@pytest.mark.parametrize('method', ['ewc', 'ewf'])
def test_methods_on_parameters_see_adapted_weights(method, branched, tmp_path):
    """If it fails, a new branch is free under EWC, or is left out of the fusion by EWF."""
    train_protocol(branched(method), tmp_path / 'w', [0, 1])
    base, added = (branches(weights(tmp_path / 'w', k)) for k in (0, 1))
    assert torch.allclose(added[0], base[0], atol=1e-6)
    gap = float((added[1] - base[0]).abs().max())
    assert gap > 0
