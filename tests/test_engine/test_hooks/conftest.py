"""A hook on a small growing network, trained step by step without a Runner."""

import logging
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from incseg.engine.checkpoint import plain, save_atomically
from incseg.engine.runner.optim import StepOptimWrapper


class GrowingNetwork(nn.Module):
    """Two linear layers, the second grows; every value is a sine, no random number is drawn."""

    def __init__(self, outputs, dtype):
        super().__init__()
        self.body = nn.Linear(3, 4, dtype=dtype)
        self.steps = nn.ModuleList(nn.Linear(4, n, dtype=dtype) for n in outputs)
        for i, parameter in enumerate(self.parameters()):
            parameter.data = wave(parameter.shape, 0.7, i, dtype)

    def loss(self, iteration):
        """Cross-entropy of eight samples that depend on the iteration."""
        inputs = wave((8, 3), 1.3, iteration, self.body.weight.dtype)
        hidden = torch.tanh(self.body(inputs))
        logits = torch.cat([step(hidden) for step in self.steps], 1)
        return nn.functional.cross_entropy(logits, torch.arange(8) % logits.shape[1])


def wave(shape, pace, phase, dtype):
    count = torch.arange(torch.Size(shape).numel(), dtype=torch.float64)
    return torch.sin(pace * count + phase).view(shape).to(dtype)


class Walk:
    """Trains the network over steps; ``records`` keeps what the last step logged."""

    outputs = (3, 1, 2)

    def __init__(self, folder, dtype=torch.float64, lr=0.05):
        self.folder, self.dtype, self.lr = folder, dtype, lr

    def path(self, k):
        return self.folder / f'step_{k}.pth'

    def start(self, make_hook, k, before_hook=None):
        """Network, hook and optimiser of step ``k``; ``before_hook(model)`` may hook in first."""
        model = GrowingNetwork(self.outputs[: k + 1], self.dtype)
        previous = str(self.path(k - 1)) if k else None
        if k:
            model.load_state_dict(
                torch.load(previous, weights_only=True)['state_dict'], strict=False
            )
        wrapper = StepOptimWrapper(
            optimizer=torch.optim.SGD(model.parameters(), lr=self.lr, momentum=0.9, nesterov=True)
        )
        if before_hook is not None:
            wrapper.after_backward.append(before_hook(model))
        hook = make_hook(name='held', previous=previous)
        hook.before_train(
            SimpleNamespace(
                model=model, optim_wrapper=wrapper, logger=logging.getLogger('test'), iter=0
            )
        )
        return model, hook, wrapper

    def step(self, make_hook, k, iterations=25, before_hook=None):
        """Train step ``k`` and save it; returns the network, the hook and the penalties."""
        model, hook, wrapper = self.start(make_hook, k, before_hook)
        penalties = []
        for i in range(iterations):
            wrapper.update_params(model.loss(i + 100 * k))
            penalties += [float(value) for value in hook.losses().values()]
        self.save(model, k, {'held': hook.state()})
        return model, hook, penalties

    def save(self, model, k, method_state):
        meta = dict(incseg_version='0', method='m', protocol={}, step=k, classes=[], palette=[])
        save_atomically(
            plain(dict(state_dict=dict(model.state_dict()), meta=meta, method_state=method_state)),
            self.path(k),
        )


@pytest.fixture
def walk(tmp_path):
    return Walk(tmp_path)
