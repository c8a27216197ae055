"""Dropout in later steps: a student with the teacher's weights must be the teacher."""

import pytest
import torch
import torch.nn.functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from incseg.errors import InvalidInputError

DROPPING = dict(
    decode_head=dict(type='FCNHead', dropout_ratio=0.5),
    auxiliary_head=dict(aux=dict(type='FCNHead', dropout_ratio=0.5)),
)


def in_training(model):
    """Training mode, but BatchNorm normalises by its running statistics, as the teacher's does."""
    model.train()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.eval()
    return model


def test_distillation_of_equal_weights(build_pair, batch):
    """If it fails, something pulls a student away that is the teacher already.

    With the balanced start the unbiased distillation is the entropy of the teacher's
    probabilities, divided by their number K, and no weight has a gradient of it.
    """
    model = in_training(build_pair([4, 2], dtype=torch.float64, **DROPPING))
    inputs, labels = batch()
    inputs = inputs.double()
    logits = F.interpolate(
        model.teacher(inputs), labels.shape[-2:], mode='bilinear', align_corners=False
    )
    entropy = -(logits.softmax(1) * logits.log_softmax(1)).sum(1).mean()
    term = model.loss(inputs, labels)['distillation.logits.loss']
    torch.testing.assert_close(term, 10 * entropy / 4, rtol=1e-6, atol=0)
    term.backward()
    gradients = [p.grad.abs().max() for p in model.parameters() if p.grad is not None]
    assert gradients and max(gradients) < 1e-6


def test_dropout_that_is_asked_for(build_pair, batch):
    """If it fails, `method.dropout=True` changes nothing."""
    model = in_training(build_pair([4, 2], dropout=True, **DROPPING))
    first, second = (model.loss(*batch())['distillation.logits.loss'] for _ in range(2))
    assert first != second


def test_step_0_has_dropout(build, batch):
    """If it fails, base steps train otherwise than before, or steps of one run differ."""
    model = build([4], **DROPPING).train()
    assert model.decode_head.dropout.training and model.auxiliary_head.aux.dropout.training
    assert not model.eval().decode_head.dropout.training


def test_dropout_is_a_switch(build):
    with pytest.raises(InvalidInputError, match='dropout is 0.1, expected True or False'):
        build([4, 2], dropout=0.1)
