"""BiSeNet: the network and its modules."""

from collections.abc import Sequence
from typing import Any

import torch
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from incseg.models.backbones.base import BaseBackbone, scaling_of
from incseg.models.backbones.context_path import (
    AttentionRefinement as AttentionRefinement,  # as in 0.1
)
from incseg.models.backbones.context_path import (
    ContextPath,
    PooledConv,
    context_network,
)
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
        context: Config of another network in the place of that ResNet, as
            ``dict(type='TimmBackbone', name='tf_efficientnet_lite0')``: a backbone whose last
            three maps have strides 8, 16 and 32.  None for the ResNet.
        width: ``'narrow'`` (the paths of BiSeNet-R18 for every depth; R101
            costs 47 GMAC at 512x512) or ``'wide'`` (four times the channels,
            as mmsegmentation's R50 and R101 have; 118 GMAC).
        pretrained: Whether the context path's network starts from ImageNet weights, or the file
            of its weights.
        norm_cfg: Config of the normalisation of every layer; None for :class:`BatchNorm`.
            A network of ``context`` keeps its own.
        fusion_reduction: Divisor of the hidden channels of the fusion's attention.
        fusion_bias: Whether the attention's convolutions have biases.
        fusion_norm: Whether the fusion's attention is one convolution with normalisation and
            ReLU, as in mmsegmentation; the two arguments before are then of no use.

    Attributes:
        out_channels: Channels of the three maps that heads read: the deep context,
            the finer context and the fused map.
        stage_channels: Channels of the stages of the context path's network.

    Raises:
        InvalidInputError: If ``width``, ``depth`` or the network of ``context`` is not allowed.

    Source: Yu et al., "BiSeNet: Bilateral Segmentation Network for Real-time Semantic
    Segmentation", ECCV 2018.
    """

    def __init__(
        self,
        depth: int = 18,
        width: str = 'narrow',
        pretrained: bool | str = False,
        norm_cfg: dict | None = None,
        fusion_reduction: int = 4,
        fusion_bias: bool = True,
        context: dict | None = None,
        fusion_norm: bool = False,
    ):
        super().__init__()
        if width not in WIDTHS:
            raise expected('BiSeNet width', width, any_of(sorted(WIDTHS)))
        norm_cfg = norm_cfg or dict(type='incseg.BN')
        spatial, refined, fused = WIDTHS[width]
        self.spatial_path = SpatialPath(spatial, norm_cfg)
        if context is None:
            net: Any = ResNet(depth, pretrained, norm_cfg)
        else:
            net = context_network({'pretrained': pretrained, **context})
        self.context_path = ContextPath(net, refined, norm_cfg)
        self.fusion = FeatureFusion(
            spatial[-1] + refined, fused, norm_cfg, fusion_reduction, fusion_bias, fusion_norm
        )
        self.out_channels = (refined, refined, fused)
        self.stage_channels = net.stage_channels

    @classmethod
    def input_scaling(cls, context: dict | None = None, **options: Any) -> dict[str, Any] | None:
        """Return the scaling of the network of ``context``, see :class:`BaseBackbone`."""
        return None if context is None else scaling_of(context)

    @property
    def weights_source(self) -> str | None:
        """Where the context path's network had its pretrained weights from; None for nowhere."""
        return getattr(self.context_path.resnet, 'weights_source', None)

    def init_weights(self) -> None:
        """Load the ImageNet weights of the context path's network, if ``pretrained``."""
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
        """Return the three maps of :meth:`forward_maps` and the stages of the context path.

        See :meth:`BaseBackbone.forward_stages`.
        """
        (deep, fine), stages = self.context_path.forward_stages(x)
        return (deep, fine, self.fusion(self.spatial_path(x), fine)), stages


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
        norm: Whether the attention is one convolution with normalisation and ReLU instead.

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
        norm: bool = False,
    ):
        super().__init__()
        whole_number('BiSeNet fusion_reduction', reduction, 1, channels)
        checked('BiSeNet fusion_bias', bias, SWITCH)
        checked('BiSeNet fusion_norm', norm, SWITCH)
        self.conv = ConvModule(in_channels, channels, 1, norm_cfg=norm_cfg)
        if norm:
            self.squeeze = PooledConv(channels, channels, norm_cfg, dict(type='ReLU'))
            self.excite: nn.Module = nn.Sigmoid()
            return
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
