"""The attention refinement module."""

import torch

from incseg.models.backbones.bisenet import AttentionRefinement


def test_is_the_map_times_its_attention():
    """If it fails, the channels are not weighed by a factor between 0 and 1."""
    layer = AttentionRefinement(6, 64, dict(type='BN')).eval()
    x = torch.randn(2, 6, 5, 3)
    smoothed, out = layer.conv(x), layer(x)
    pooled = smoothed.mean((2, 3), keepdim=True)
    logits = torch.einsum('oi,nixy->noxy', layer.attention.conv.conv.weight[:, :, 0, 0], pooled)
    attention = (logits / (1 + 1e-5) ** 0.5).sigmoid()
    assert 0 < attention.min() < 0.5 < attention.max() < 1  # no ReLU in front of the sigmoid
    torch.testing.assert_close(out, smoothed * attention)
