"""Groups of parameters, and callbacks around their update."""

import pytest
import torch
from mmengine.registry import init_default_scope
from torch import nn

from incseg.engine.runner.optim import FineTuneOptimConstructor, factor_groups
from incseg.errors import InvalidInputError
from incseg.models import SEAM
from incseg.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Linear(2, 2)
        self.head = nn.ModuleDict(dict(conv=nn.Linear(2, 2), classifier=nn.Linear(2, 1)))
        self.header = nn.Linear(1, 1)


def rates(network, factors, lr=0.5):
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    return {
        names[id(parameter)]: group['lr']
        for group in factor_groups(network, lr, factors)
        for parameter in group['params']
    }


def test_factors():
    """If it fails, a part has another part's rate, or a parameter is forgotten."""
    found = rates(Network(), {'head': 10.0, 'head.classifier': 4.0})
    assert found == {
        'backbone.weight': 0.5,
        'backbone.bias': 0.5,
        'head.conv.weight': 5.0,
        'head.conv.bias': 5.0,
        'head.classifier.weight': 2.0,
        'head.classifier.bias': 2.0,
        'header.weight': 0.5,
        'header.bias': 0.5,
    }
    assert len(factor_groups(Network(), 1.0, {'head': 10.0})) == 2, 'one group a factor'


def test_a_factor_of_none_is_left_out():
    """If it fails, a network without auxiliary heads cannot take a schedule that names them."""
    network = Network()
    assert rates(network, {'head': 10.0, 'auxiliary_head': None}) == rates(network, {'head': 10.0})


def test_frozen_parameters():
    """If it fails, weight decay moves what is frozen."""
    network = Network()
    network.backbone.requires_grad_(False)
    assert 'backbone.weight' not in rates(network, {'backbone': 10.0})


def test_unknown_part():
    """If it fails, a typing mistake trains with the wrong rate in silence."""
    with pytest.raises(
        InvalidInputError, match="schedule.lr_factors is 'decode_haed', expected a part"
    ):
        factor_groups(Network(), 1.0, {'decode_haed': 10.0})


def test_wrapper():
    """If it fails, the optimiser's own settings are lost."""
    config = dict(
        type='StepOptimWrapper',
        optimizer=dict(type='SGD', lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4),
    )
    build = OPTIM_WRAPPER_CONSTRUCTORS.build(
        dict(
            type='PartOptim',
            optim_wrapper_cfg=config,
            paramwise_cfg=dict(lr_factors={'head': 10.0}),
        )
    )
    groups = build(Network()).optimizer.param_groups
    assert [group['lr'] for group in groups] == pytest.approx([0.1, 1.0])
    for group in groups:
        assert (group['momentum'], group['nesterov'], group['weight_decay']) == (0.9, True, 1e-4)


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


def make_of_optim_wrapper(**kwargs):
    init_default_scope('incseg')
    parameter = torch.nn.Parameter(torch.tensor([1.0]))
    optimizer = torch.optim.SGD([parameter], lr=0.5)
    wrapper = OPTIM_WRAPPERS.build(dict(type='StepOptimWrapper', optimizer=optimizer, **kwargs))
    return parameter, wrapper


def test_callbacks_stand_between_backward_and_step_and_clearing():
    """EWC, PI and RW need the gradient before the step and the parameter after it."""
    parameter, wrapper = make_of_optim_wrapper()
    seen = []

    def note():
        seen.append((parameter.item(), parameter.grad.item()))

    wrapper.after_backward.append(note)
    wrapper.after_step.append(note)
    wrapper.update_params((parameter * 3).sum())
    assert seen == [(1.0, 3.0), (-0.5, 3.0)]
    assert parameter.grad is None


@pytest.mark.parametrize('amp', [False, True])
def test_autocast(amp):
    """--amp runs matrix products in bfloat16, on CPU too, and nothing else changes."""
    _, wrapper = make_of_optim_wrapper(amp=amp)
    model = torch.nn.Linear(2, 2)
    with wrapper.optim_context(model):
        assert model(torch.ones(1, 2)).dtype == (torch.bfloat16 if amp else torch.float32)


def test_norms_without_decay():
    """If it fails, weight decay acts on a norm or a bias, or a group loses its rate."""
    init_default_scope('incseg')
    network = nn.ModuleDict(dict(head=nn.Conv2d(2, 2, 1), norm=nn.GroupNorm(1, 2)))
    make = OPTIM_WRAPPER_CONSTRUCTORS.get('PartwiseOptimConstructor')(
        dict(
            type='StepOptimWrapper',
            optimizer=dict(type='SGD', lr=0.5, momentum=0.9, weight_decay=0.1),
        ),
        dict(lr_factors=dict(head=10.0), norm_decay=False),
    )
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    found = {
        names[id(parameter)]: (group['lr'], group['weight_decay'])
        for group in make(network).optimizer.param_groups
        for parameter in group['params']
    }
    assert found == {
        'head.weight': (5.0, 0.1),
        'head.bias': (5.0, 0.0),
        'norm.weight': (0.5, 0.0),
        'norm.bias': (0.5, 0.0),
    }
