import torch
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from incseg.models.backbones.pooled_conv import PooledConv


class FeatureFusion(nn.Module):
    """BiSeNet's feature fusion module (FFM).

    Concatenate, 1x1 convolution, then add the map weighted by its own channel
    attention: pooling, 1x1, ReLU, 1x1, sigmoid, without normalisation.

    Args:
        in_channels: Channels of both inputs together.
        channels: Channels of the result.
        norm_cfg: Normalisation of the first convolution.
        reduction: How much narrower the attention's hidden layer is.

    Source: Yu et al., "BiSeNet", ECCV 2018, fig. 2 (c).
    """

    def __init__(self, in_channels: int, channels: int, norm_cfg: dict, reduction: int = 4):
        super().__init__()
        self.conv = ConvModule(in_channels, channels, 1, norm_cfg=norm_cfg)
        self.squeeze = PooledConv(channels, channels // reduction, None, dict(type='ReLU'))
        self.excite = ConvModule(channels // reduction, channels, 1, act_cfg=dict(type='Sigmoid'))

    def forward(self, spatial: Tensor, context: Tensor) -> Tensor:
        """Two maps of one size -> ``(N, channels, h, w)``."""
        x = self.conv(torch.cat([spatial, context], 1))
        return x + x * self.excite(self.squeeze(x))
