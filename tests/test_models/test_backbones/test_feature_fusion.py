"""The feature fusion module."""

import torch

from incseg.models.backbones.bisenet import FeatureFusion


def test_is_the_map_plus_its_attended_self():
    """If it fails, the fused map is not x + x * attention(x) with the paper's attention."""
    layer = FeatureFusion(8, 12, dict(type='BN'), reduction=4).eval()
    spatial, context = torch.randn(2, 5, 4, 6), torch.randn(2, 3, 4, 6)
    x = layer.conv(torch.cat([spatial, context], 1))
    squeeze, excite = layer.squeeze.conv.conv, layer.excite.conv
    assert squeeze.weight.shape == (3, 12, 1, 1)
    hidden = squeeze(x.mean((2, 3), keepdim=True)).relu()
    torch.testing.assert_close(layer(spatial, context), x + x * excite(hidden).sigmoid())


def test_attention_has_no_norm():
    """If it fails, the attention gained BatchNorm (mmseg's deviation: it is then >= 0.5)."""
    layer = FeatureFusion(8, 12, dict(type='BN'))
    assert not layer.squeeze.conv.with_norm
    assert not layer.excite.with_norm
