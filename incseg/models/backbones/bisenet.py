"""BiSeNet: the network and its modules."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from incseg.models.backbones.base import BaseBackbone
from incseg.models.backbones.resnet import ResNet
from incseg.registry import MODELS
from incseg.utils.rules import SWITCH, any_of, checked, expected, whole_number

#: width -> (spatial path's four convolutions, context path, fused map)
WIDTHS = {
    'narrow': ((64, 64, 64, 128), 128, 256),
    'wide': ((256, 256, 256, 512), 512, 1024),
}


@MODELS.register_module()
class BiSeNet(BaseBackbone):
    """BiSeNet: a shallow spatial path and a deep context path, fused.

    Args:
        depth: Depth of the context path's ResNet: 18, 34, 50 or 101.
        width: ``'narrow'`` (the paths of BiSeNet-R18 for every depth; R101
            costs 47 GMAC at 512x512) or ``'wide'`` (four times the channels,
            as mmsegmentation's R50 and R101 have; 118 GMAC).
        pretrained: Whether the ResNet starts from ImageNet weights.
        norm_cfg: Config of the normalisation of every layer; None for :class:`BatchNorm`.
        fusion_reduction: Divisor of the hidden channels of the fusion's attention.
        fusion_bias: Whether the attention's convolutions have biases.

    Attributes:
        out_channels: Channels of the three maps that heads read: the deep context,
            the finer context and the fused map.
        stage_channels: Channels of the context path's four residual stages.

    Raises:
        InvalidInputError: If ``width`` or ``depth`` is not allowed.

    Source: Yu et al., "BiSeNet: Bilateral Segmentation Network for Real-time Semantic
    Segmentation", ECCV 2018.
    """

    def __init__(
        self,
        depth: int = 18,
        width: str = 'narrow',
        pretrained: bool = False,
        norm_cfg: dict | None = None,
        fusion_reduction: int = 4,
        fusion_bias: bool = True,
    ):
        super().__init__()
        if width not in WIDTHS:
            raise expected('BiSeNet width', width, any_of(sorted(WIDTHS)))
        norm_cfg = norm_cfg or dict(type='incseg.BN')
        spatial, context, fused = WIDTHS[width]
        self.spatial_path = SpatialPath(spatial, norm_cfg)
        self.context_path = ContextPath(ResNet(depth, pretrained, norm_cfg), context, norm_cfg)
        self.fusion = FeatureFusion(
            spatial[-1] + context, fused, norm_cfg, fusion_reduction, fusion_bias
        )
        self.out_channels = (context, context, fused)
        self.stage_channels = self.context_path.resnet.stage_channels

    def init_weights(self) -> None:
        """Load the ResNet's ImageNet weights, if ``pretrained``."""
        self.context_path.resnet.init_weights()

    def forward_maps(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the deep, the finer and the fused map of a batch.

        Args:
            x: ``(N, 3, H, W)``, normalised.

        Returns:
            Each ``(N, C_i, h_i, w_i)``, at strides 16, 8 and 8, sizes rounded up.
        """
        deep, fine = self.context_path(x)
        return deep, fine, self.fusion(self.spatial_path(x), fine)

    def forward_stages(self, x: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Return the three maps of :meth:`forward_maps` and the context path's four stages.

        See :meth:`BaseBackbone.forward_stages`.
        """
        (deep, fine), stages = self.context_path.forward_stages(x)
        return (deep, fine, self.fusion(self.spatial_path(x), fine)), stages


class ContextPath(nn.Module):
    """BiSeNet's context path: a ResNet whose stages at strides 16 and 32 are refined and enlarged.

    The global average is added to the refined stage of stride 32.  The result is enlarged
    (nearest) to the size of stride 16, smoothed and added to the refined stage there; the same
    happens once more towards stride 8.

    Args:
        resnet: The context network.
        channels: Channels of the refined maps.
        norm_cfg: Config of the normalisation of every layer.

    Source: Yu et al., "BiSeNet", ECCV 2018, section 3.2.
    """

    def __init__(self, resnet: ResNet, channels: int, norm_cfg: dict):
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
        """Return the maps of :meth:`forward`, and the ResNet's four stages before their last ReLU.

        Args:
            x: ``(N, 3, H, W)``, normalised.
        """
        maps, stages = self.resnet.forward_stages(x)
        return self._refine(maps), stages

    def _refine(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        _, stage8, stage16, stage32 = maps
        deep = self.refine32(stage32) + self.pool(stage32)
        deep = self.smooth32(F.interpolate(deep, size=stage16.shape[-2:], mode='nearest'))
        fine = self.refine16(stage16) + deep
        fine = self.smooth16(F.interpolate(fine, size=stage8.shape[-2:], mode='nearest'))
        return deep, fine


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
            ConvModule(c, d, 1, norm_cfg=norm_cfg),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, 3, H, W)`` to ``(N, channels[-1], H / 8, W / 8)``, rounded up."""
        return self.layers(x)


class FeatureFusion(nn.Module):
    """BiSeNet's feature fusion module (FFM).

    The two maps are concatenated and go through a 1x1 convolution.  To the result it adds the
    same map weighted by its channel attention (pooling, 1x1, ReLU, 1x1, sigmoid, without
    normalisation).

    Args:
        in_channels: Channels of both inputs together.
        channels: Channels of the result.
        norm_cfg: Config of the normalisation of the first convolution.
        reduction: Divisor: the attention's hidden layer has ``channels // reduction`` channels.
        bias: Whether the attention's two convolutions have biases.

    Raises:
        InvalidInputError: If ``reduction`` does not leave a channel.

    Source: Yu et al., "BiSeNet", ECCV 2018, fig. 2 (c).
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        norm_cfg: dict,
        reduction: int = 4,
        bias: bool = True,
    ):
        super().__init__()
        whole_number('BiSeNet fusion_reduction', reduction, 1, channels)
        checked('BiSeNet fusion_bias', bias, SWITCH)
        self.conv = ConvModule(in_channels, channels, 1, norm_cfg=norm_cfg)
        self.squeeze = PooledConv(channels, channels // reduction, None, dict(type='ReLU'), bias)
        self.excite = ConvModule(
            channels // reduction, channels, 1, act_cfg=dict(type='Sigmoid'), bias=bias
        )

    def forward(self, spatial: Tensor, context: Tensor) -> Tensor:
        """Fuse two maps of one size.

        Args:
            spatial: ``(N, C_1, h, w)``.
            context: ``(N, C_2, h, w)``; ``C_1 + C_2`` is ``in_channels``.

        Returns:
            ``(N, channels, h, w)``.
        """
        x = self.conv(torch.cat([spatial, context], 1))
        return x + x * self.excite(self.squeeze(x))


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
