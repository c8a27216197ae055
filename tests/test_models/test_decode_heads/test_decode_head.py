"""The base head: what a custom head gets for free."""

import pytest
import torch
from torch import nn

from incseg.models import BaseDecodeHead, CrossEntropyLoss, UnbiasedCrossEntropyLoss


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
