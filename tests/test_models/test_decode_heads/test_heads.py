"""Heads and their growing classifier."""

from unittest.mock import Mock

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from incseg.models import (
    BaseDecodeHead,
    CrossEntropyLoss,
    GrowingClassifier,
    UnbiasedCrossEntropyLoss,
)
from incseg.registry import MODELS


class Pick(BaseDecodeHead):
    """A custom head in one line: the map as it is."""

    def forward_features(self, feats):
        return feats[self.in_index]


def test_custom_head_classifies_its_map():
    """If it fails, a head with forward_features alone does not get a working classifier."""
    feats = torch.randn(1, 3, 4, 4), torch.randn(1, 6, 2, 2)
    for index, channels in ((0, 3), (1, 6), (-1, 6)):
        head = Pick(channels, channels, in_index=index).eval()
        head.build_classifier([3, 2])
        assert head.classifier is not None
        torch.testing.assert_close(head(feats), head.classifier(feats[index]))
        assert head(feats).shape[1] == 5


def test_defaults():
    """If it fails, the documented defaults of BaseDecodeHead have changed."""
    head = Pick(4, 4)
    assert (head.in_index, head.norm_cfg, head.dropout.p) == (-1, dict(type='incseg.BN'), 0.1)
    assert isinstance(head.loss_decode, CrossEntropyLoss)
    assert isinstance(Pick(4, 4, dropout_ratio=0).dropout, nn.Identity)


def test_loss_by_config_or_object():
    """If it fails, a loss cannot be handed over ready-made."""
    loss = UnbiasedCrossEntropyLoss(loss_weight=3.0)
    assert Pick(4, 4, loss_decode=loss).loss_decode is loss
    built = Pick(4, 4, loss_decode=dict(type='UnbiasedCrossEntropyLoss', loss_weight=3.0))
    assert built.loss_decode.loss_weight == 3


def test_dropout_is_off_in_eval():
    """If it fails, the teacher's and the test's logits are random."""
    head = Pick(32, 32, dropout_ratio=0.5)
    head.build_classifier([4])
    feats = (torch.randn(1, 32, 2, 2),)
    assert not torch.equal(head(feats), head(feats))
    head.eval()
    assert torch.equal(head(feats), head(feats))


def test_no_classifier_yet():
    """If it fails, a head used before build_classifier() fails with a riddle."""
    with pytest.raises(RuntimeError, match='Pick has no classifier yet: call build_classifier'):
        Pick(4, 4)((torch.zeros(1, 4, 1, 1),))


def test_forward_features_is_required():
    """If it fails, a head without forward_features is noticed only when it runs."""
    with pytest.raises(TypeError):
        BaseDecodeHead(4, 4)  # type: ignore[abstract]


def test_convolution_norm_relu_classifier():
    """If it fails, the head is not conv-BN-ReLU-classifier of the map it was told to read."""
    head = MODELS.build(dict(type='FCNHead', in_channels=6, channels=4, in_index=0)).eval()
    head.build_classifier([3])
    feats = torch.randn(2, 6, 5, 7), torch.randn(2, 9, 1, 1)
    weight = head.conv.conv.weight
    assert weight.shape == (4, 6, 3, 3)
    hidden = nn.functional.conv2d(feats[0], weight, padding=1) / (1 + 1e-5) ** 0.5
    torch.testing.assert_close(head.forward_features(feats), hidden.relu())
    assert head(feats).shape == (2, 3, 5, 7)


def test_norm_cfg():
    """If it fails, a head keeps BatchNorm when the config asks for another norm."""
    head = MODELS.build(
        dict(type='FCNHead', in_channels=6, channels=4, norm_cfg=dict(type='GN', num_groups=2))
    )
    assert isinstance(head.conv.norm, nn.GroupNorm)


@pytest.mark.parametrize('outputs_per_step', [[4], [4, 2], [16, 1, 1, 1], [1, 1], [2] + [1] * 99])
def test_one_convolution_is_the_concatenation(outputs_per_step):
    """If it fails, logits are not in learning order, so train ids mean other classes."""
    classifier = GrowingClassifier(8, outputs_per_step).double()
    for parameter in classifier.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(2, 8, 3, 5, dtype=torch.float64)
    separate = torch.cat([conv(x) for conv in classifier.convs], 1)
    torch.testing.assert_close(classifier(x), separate, rtol=1e-12, atol=1e-14)
    assert classifier.num_outputs == sum(outputs_per_step) == separate.shape[1]


def test_it_is_evaluated_as_a_single_convolution(monkeypatch):
    """If it fails, a hundred steps cost a hundred convolutions."""
    convolve = Mock(wraps=F.conv2d)
    monkeypatch.setattr(F, 'conv2d', convolve)
    GrowingClassifier(4, [2] + [1] * 100)(torch.zeros(1, 4, 2, 2))
    assert convolve.call_count == 1


@pytest.mark.parametrize(
    ('outputs_per_step', 'num_old'),
    [([5], 1), ([5, 2], 5), ([16, 1, 1], 17), ([1, 1], 1), ([2] + [1] * 100, 101)],
)
def test_num_old(outputs_per_step, num_old):
    """If it fails, the unbiased loss draws the line between old and new in the wrong place."""
    assert GrowingClassifier(4, outputs_per_step).num_old == num_old


def test_state_dict_grows_by_names():
    """If it fails, step k cannot load the checkpoint of step k-1 by its names."""
    steps = [16, 1, 3]
    for k in range(1, 3):
        old, new = GrowingClassifier(4, steps[:k]), GrowingClassifier(4, steps[: k + 1])
        before, after = old.state_dict(), new.state_dict()
        assert before.keys() < after.keys()
        assert after.keys() - before.keys() == {f'steps.{k}.weight', f'steps.{k}.bias'}
        result = new.load_state_dict(before, strict=False)
        assert not result.unexpected_keys
        x = torch.randn(1, 4, 2, 2)
        torch.testing.assert_close(new(x)[:, : sum(steps[:k])], old(x))


def test_every_step_gets_its_gradient():
    """If it fails, some step's classifier is left out of training (DDP would hang on it)."""
    classifier = GrowingClassifier(4, [2, 1, 1])
    classifier(torch.randn(1, 4, 2, 2)).pow(2).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in classifier.parameters())


def test_initial_values():
    """If it fails, a base step starts from large logits or from shifted classes."""
    classifier = GrowingClassifier(4096, [8, 8])
    for conv in classifier.convs:
        assert not conv.state_dict()['bias'].any()
        assert conv.weight.std().item() == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize('outputs_per_step', [[], [0], [3, 0], [3, -1]])
def test_bad_steps(outputs_per_step):
    """If it fails, a step without classes is built and its loss means nothing."""
    with pytest.raises(ValueError, match='outputs_per_step is .*expected one positive number'):
        GrowingClassifier(4, outputs_per_step)
