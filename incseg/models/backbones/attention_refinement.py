from mmcv.cnn import ConvModule
from torch import Tensor, nn

from incseg.models.backbones.pooled_conv import PooledConv


class AttentionRefinement(nn.Module):
    """BiSeNet's attention refinement module (ARM).

    A 3x3 convolution brings the map to ``channels``; global pooling, a 1x1
    convolution, normalisation and a sigmoid weigh its channels.

    Args:
        in_channels: Channels of the context network's stage.
        channels: Channels of the result.
        norm_cfg: Normalisation of both convolutions.

    Source: Yu et al., "BiSeNet", ECCV 2018, fig. 2 (b).
    """

    def __init__(self, in_channels: int, channels: int, norm_cfg: dict):
        super().__init__()
        self.conv = ConvModule(in_channels, channels, 3, padding=1, norm_cfg=norm_cfg)
        self.attention = PooledConv(channels, channels, norm_cfg, dict(type='Sigmoid'))

    def forward(self, x: Tensor) -> Tensor:
        """``(N, in_channels, h, w)`` -> ``(N, channels, h, w)``."""
        x = self.conv(x)
        return x * self.attention(x)
