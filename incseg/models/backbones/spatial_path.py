from collections.abc import Sequence

from mmcv.cnn import ConvModule
from torch import Tensor, nn


class SpatialPath(nn.Module):
    """BiSeNet's spatial path: three strided convolutions and a 1x1, stride 8.

    Args:
        channels: Output channels of the four convolutions.
        norm_cfg: Normalisation of each.

    Source: Yu et al., "BiSeNet", ECCV 2018, section 3.1.
    """

    def __init__(self, channels: Sequence[int], norm_cfg: dict):
        super().__init__()
        a, b, c, d = channels
        self.layers = nn.Sequential(
            ConvModule(3, a, 7, stride=2, padding=3, norm_cfg=norm_cfg),
            ConvModule(a, b, 3, stride=2, padding=1, norm_cfg=norm_cfg),
            ConvModule(b, c, 3, stride=2, padding=1, norm_cfg=norm_cfg),
            ConvModule(c, d, 1, norm_cfg=norm_cfg))

    def forward(self, x: Tensor) -> Tensor:
        """``(N, 3, H, W)`` -> ``(N, channels[-1], H / 8, W / 8)``, rounded up."""
        return self.layers(x)
