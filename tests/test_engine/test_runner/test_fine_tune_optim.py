import torch
from torch import nn

from incseg.engine.runner.optim import FineTuneOptimConstructor
from incseg.models import SEAM
from incseg.registry import OPTIM_WRAPPER_CONSTRUCTORS


class Net(nn.Module):
    """A frozen layer, one with a bias, a norm, and a head with a bias."""

    def __init__(self):
        super().__init__()
        self.frozen = nn.Conv2d(1, 1, 1).requires_grad_(False)
        self.conv, self.norm = nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2)
        self.head = nn.Conv2d(2, 3, 1)


def make(network, **paramwise):
    constructor = OPTIM_WRAPPER_CONSTRUCTORS.build(
        dict(
            type='FineTuneOptimConstructor',
            paramwise_cfg=paramwise or None,
            optim_wrapper_cfg=dict(
                type='StepOptimWrapper',
                optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=5e-4),
            ),
        )
    )
    return constructor(network)


def test_groups():
    """1x, 2x without decay, 10x, 20x without decay; what is frozen is nowhere."""
    network = Net()
    groups = make(network).optimizer.param_groups
    content = [
        ({id(p) for p in group['params']}, group['lr'], group['weight_decay'], group['momentum'])
        for group in groups
    ]
    assert content == [
        ({id(network.conv.weight), id(network.norm.weight)}, 0.01, 5e-4, 0.9),
        ({id(network.conv.bias), id(network.norm.bias)}, 0.02, 0, 0.9),
        ({id(network.head.weight)}, 0.1, 5e-4, 0.9),
        ({id(network.head.bias)}, 0.2, 0, 0.9),
    ]
    assert make(network, head_factor=4.0).optimizer.param_groups[3]['lr'] == 0.08


def test_update_uses_each_groups_own_rate():
    """One step of size lr x gradient, for a frozen layer none."""
    network = Net()
    before = {name: value.clone() for name, value in network.named_parameters()}
    wrapper = make(network)
    for group in wrapper.optimizer.param_groups:
        group['weight_decay'] = 0
    for value in network.parameters():
        value.grad = torch.ones_like(value)
    wrapper.step()
    moved = {
        name: round((before[name] - value).mean().item(), 6)
        for name, value in network.named_parameters()
    }
    assert moved == {
        'frozen.weight': 0,
        'frozen.bias': 0,
        'conv.weight': 0.01,
        'conv.bias': 0.02,
        'norm.weight': 0.01,
        'norm.bias': 0.02,
        'head.weight': 0.1,
        'head.bias': 0.2,
    }


def test_published_network():
    """35 of ResNet-38d's 43 convolutions learn, and the 4 new ones; there is no bias."""
    with torch.device('meta'):
        network = SEAM(dict(type='ResNet38d', width=1), 20, frozen=True)
    constructor = FineTuneOptimConstructor(dict(optimizer=dict()))
    groups = constructor.groups(network, 0.01, 5e-4)
    assert [(len(group['params']), group['lr']) for group in groups] == [(35, 0.01), (4, 0.1)]
