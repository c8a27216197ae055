"""BiSeNet's output head."""

import torch
from torch import nn

from incseg.registry import MODELS


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
