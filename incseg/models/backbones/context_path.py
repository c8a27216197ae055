"""BiSeNet's context path: the deep network, and the modules that refine its maps."""

from typing import Any

import torch.nn.functional as F
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from incseg.registry import MODELS
from incseg.utils.rules import expected


def context_network(config: dict) -> Any:
    """Build the network of a context path.

    Args:
        config: Config of a backbone.

    Raises:
        InvalidInputError: Its last three maps do not have the strides 8, 16 and 32.
    """
    net: Any = MODELS.build(config)
    strides = getattr(net, 'strides', None)
    if strides is None or tuple(strides[-3:]) != (8, 16, 32):
        raise expected(
            'BiSeNet context',
            config.get('name', config['type']),
            f'a backbone whose last maps have strides 8, 16 and 32 (its strides are {strides})',
        )
    return net


class ContextPath(nn.Module):
    """BiSeNet's context path: a network whose maps at strides 16 and 32 are refined and enlarged.

    The global average is added to the refined stage of stride 32.  The result is enlarged
    (nearest) to the size of stride 16, smoothed and added to the refined stage there; the same
    happens once more towards stride 8.

    Args:
        resnet: The context network, a ResNet or another backbone; its last three maps have
            strides 8, 16 and 32.
        channels: Channels of the refined maps.
        norm_cfg: Config of the normalisation of every layer.

    Source: Yu et al., "BiSeNet", ECCV 2018, section 3.2.
    """

    def __init__(self, resnet: Any, channels: int, norm_cfg: dict):
        super().__init__()
        self.resnet = resnet
        *_, stage16, stage32 = resnet.out_channels
        self.pool = PooledConv(stage32, channels, norm_cfg, dict(type='ReLU'))
        self.refine16 = AttentionRefinement(stage16, channels, norm_cfg)
        self.refine32 = AttentionRefinement(stage32, channels, norm_cfg)
        self.smooth16 = ConvModule(channels, channels, 3, padding=1, norm_cfg=norm_cfg)
        self.smooth32 = ConvModule(channels, channels, 3, padding=1, norm_cfg=norm_cfg)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return two maps of images: the deep one at stride 16 and the finer one at stride 8.

        Args:
            x: ``(N, 3, H, W)``, normalised.

        Returns:
            Each ``(N, channels, h, w)``.
        """
        return self._refine(self.resnet(x))

    def forward_stages(self, x: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, ...]]:
        """Return the maps of :meth:`forward`, and the network's stages.

        Args:
            x: ``(N, 3, H, W)``, normalised.
        """
        maps, stages = self.resnet.forward_stages(x)
        return self._refine(maps), stages

    def _refine(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        stage8, stage16, stage32 = maps[-3:]
        deep = self.refine32(stage32) + self.pool(stage32)
        deep = self.smooth32(F.interpolate(deep, size=stage16.shape[-2:], mode='nearest'))
        fine = self.refine16(stage16) + deep
        fine = self.smooth16(F.interpolate(fine, size=stage8.shape[-2:], mode='nearest'))
        return deep, fine


class AttentionRefinement(nn.Module):
    """BiSeNet's attention refinement module (ARM).

    A 3x3 convolution brings the map to ``channels``.  Each channel is then multiplied by a
    weight of 0 to 1, computed by global pooling, a 1x1 convolution, normalisation and a sigmoid.

    Args:
        in_channels: Channels of the context network's stage.
        channels: Channels of the result.
        norm_cfg: Config of the normalisation of both convolutions.

    Source: Yu et al., "BiSeNet", ECCV 2018, fig. 2 (b).
    """

    def __init__(self, in_channels: int, channels: int, norm_cfg: dict):
        super().__init__()
        self.conv = ConvModule(in_channels, channels, 3, padding=1, norm_cfg=norm_cfg)
        self.attention = PooledConv(channels, channels, norm_cfg, dict(type='Sigmoid'))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, in_channels, h, w)`` to ``(N, channels, h, w)``."""
        x = self.conv(x)
        return x * self.attention(x)


class PooledConv(nn.Module):
    """Global average pooling, then 1x1 convolution, normalisation and activation.

    Args:
        in_channels: Channels of the map to pool.
        out_channels: Channels of the result.
        norm_cfg: Config of the normalisation, or None for none.
        act_cfg: Config of the activation, or None for none.
        bias: Whether the convolution has a bias; ``'auto'``: if there is no normalisation.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        norm_cfg: dict | None,
        act_cfg: dict | None,
        bias: bool | str = 'auto',
    ):
        super().__init__()
        self.conv = ConvModule(
            in_channels, out_channels, 1, norm_cfg=norm_cfg, act_cfg=act_cfg, bias=bias
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, in_channels, H, W)`` to ``(N, out_channels, 1, 1)``."""
        return self.conv(F.adaptive_avg_pool2d(x, 1))
