"""Factors on the learning rate of parts of a network."""

import pytest
from torch import nn

from incseg.engine.runner.optim import factor_groups
from incseg.errors import InvalidInputError
from incseg.registry import OPTIM_WRAPPER_CONSTRUCTORS


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
    with pytest.raises(InvalidInputError, match="names 'decode_haed', but no parameter is in it"):
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
