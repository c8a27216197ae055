"""Labellers and terms of distillation that know nothing of our base classes."""

from copy import deepcopy
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from incseg.models import BaseLabeller
from incseg.registry import MODELS

TWO_HEADS = {'decode_head', 'aux_16', 'aux_32'}


class Plain:
    def __call__(self, labels, student, teacher):
        self.read = teacher
        return torch.full_like(labels, 255)


@dataclass(frozen=True)
class Frozen:
    value: int = 255
    source = 'decode_head'
    reads = frozenset()

    def __call__(self, labels, student, teacher):
        return torch.full_like(labels, self.value)


class Trained(nn.Module):
    def build_for(self, network):
        self.layers = nn.Conv2d(network.backbone.out_channels[-1], 1, 1)

    def forward(self, labels, student, teacher):
        return torch.full_like(labels, 255)


class Gap(nn.Module):
    def forward(self, student, teacher):
        self.read = teacher
        return (student.features[-1] - teacher.features[-1]).square().mean()


def function():
    return lambda labels, student, teacher: torch.full_like(labels, 255)


for part in (Plain, Frozen, Trained, Gap):
    MODELS.register_module(module=part, force=True)
MODELS.register_module('LabelFunction', module=function, force=True)


def batch():
    inputs = torch.randn(2, 3, 12, 10, generator=torch.Generator().manual_seed(0))
    return inputs, torch.zeros(2, 12, 10, dtype=torch.uint8)


@pytest.mark.parametrize('kind', ['Plain', 'Frozen', 'Trained', 'LabelFunction'])
def test_labeller(build_pair, kind):
    """If it fails, a labeller written before there was a base class no longer runs."""
    model = build_pair([4, 2], distillation=None, target_labeller=dict(type=kind))
    labeller = model.target_labeller
    assert not isinstance(labeller, BaseLabeller)
    assert type(labeller) is type(MODELS.build(dict(type=kind))), 'the object is not wrapped'
    labeller.check(model)
    labeller.prepare(iter(()), model.num_classes)
    labeller.set_epoch(3)
    losses = model.loss(*batch())
    assert {name: value.item() for name, value in losses.items()} == {
        f'{name}.loss': 0.0 for name in TWO_HEADS
    }
    weights = [name for name in model.state_dict() if name.startswith('target_labeller.')]
    assert weights == (
        ['target_labeller.layers.weight', 'target_labeller.layers.bias']
        if kind == 'Trained'
        else []
    )
    assert deepcopy(model).loss(*batch()).keys() == losses.keys()


def test_defaults_of_a_labeller_are_those_of_before(build_pair):
    """If it fails, it is not handed what it was handed before: all heads and the features."""
    model = build_pair([4, 2], distillation=None, target_labeller=dict(type='Plain'))
    model.loss(*batch())
    outputs = model.target_labeller.read
    assert set(outputs.logits) == TWO_HEADS
    assert outputs.features and not outputs.stages
    model = build_pair([4, 2], distillation=None, target_labeller=dict(type='Frozen'))
    outputs = model.run_teacher(batch()[0])
    assert set(outputs.logits) == {'decode_head'} and outputs.features == ()


def test_a_labeller_that_is_put_in_later(build_pair):
    """If it fails, only labellers from a config are completed."""
    model = build_pair([4, 2], distillation=None)
    model.target_labeller = Plain()
    assert model.needs_teacher and sum(model.loss(*batch()).values()) == 0
    model.target_labeller = None
    assert not model.needs_teacher


def test_term_of_distillation(build_pair):
    """If it fails, a term that is an ordinary module is not computed or reads too little."""
    model = build_pair([4, 2], distillation=dict(gap=dict(type='Gap')))
    nn.init.zeros_(model.backbone.conv.weight)
    inputs, labels = batch()
    model.distillation['gap'].check(model)
    losses = model.loss(inputs, labels)
    difference = model.backbone(inputs)[-1] - model.teacher.backbone(inputs)[-1]
    torch.testing.assert_close(losses['distillation.gap.loss'], difference.square().mean())
    outputs = model.distillation['gap'].read
    assert set(outputs.logits) == {'decode_head'} and not outputs.stages
