import torch.nn.functional as F
from mmcv.cnn import ConvModule
from torch import Tensor, nn


class PooledConv(nn.Module):
    """Global average pooling, 1x1 convolution, normalisation, activation.

    Args:
        in_channels: Channels of the map to pool.
        out_channels: Channels of the result.
        norm_cfg: Normalisation, or None for none (the convolution then has a bias).
        act_cfg: Activation, or None for none.
    """

    def __init__(
        self, in_channels: int, out_channels: int, norm_cfg: dict | None, act_cfg: dict | None
    ):
        super().__init__()
        self.conv = ConvModule(in_channels, out_channels, 1, norm_cfg=norm_cfg, act_cfg=act_cfg)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, in_channels, H, W)`` -> ``(N, out_channels, 1, 1)``."""
        return self.conv(F.adaptive_avg_pool2d(x, 1))
