"""DeepLabV3's head: atrous convolutions of several rates, and the mean of the whole image."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from incseg.models.decode_heads.base import BaseDecodeHead
from incseg.registry import MODELS
from incseg.utils.rules import checked, one_or_list, whole


@MODELS.register_module()
class ASPPHead(BaseDecodeHead):
    """Atrous spatial pyramid pooling, as in DeepLabV3.

    A 1x1 convolution, a 3x3 convolution for each rate, and the mean of the whole map, each with
    normalisation and ReLU, are joined by a 1x1 convolution; a 3x3 convolution follows.

    Args:
        in_channels, channels, kwargs: See :class:`BaseDecodeHead`.
        rates: Distances of the taps of the 3x3 convolutions, in places of the map: (6, 12, 18)
            at output stride 16, twice as far at 8.
        last_conv: Whether the last 3x3 convolution is there, as in torchvision's network; the
            one of the incremental papers has none.

    Raises:
        InvalidInputError: If ``rates`` are no whole numbers above 0.

    Source: Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation",
    arXiv 1706.05587, section 3.3.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int = 256,
        rates: Sequence[int] = (6, 12, 18),
        last_conv: bool = True,
        **kwargs: Any,
    ):
        super().__init__(in_channels, channels, **kwargs)
        rates = checked('rates of ASPPHead', list(rates), one_or_list(whole(1)))

        def conv(inputs: int, size: int = 1, rate: int = 1) -> ConvModule:
            padding = rate * (size // 2)
            return ConvModule(
                inputs, channels, size, padding=padding, dilation=rate, norm_cfg=self.norm_cfg
            )

        self.branches = nn.ModuleList(
            [conv(in_channels), *(conv(in_channels, 3, rate) for rate in rates)]
        )
        self.pooled = conv(in_channels)
        self.project = conv(channels * (2 + len(rates)))
        self.conv = conv(channels, 3) if last_conv else nn.Identity()

    def forward_features(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Return the features that are classified, ``(N, channels, h, w)``.

        Args:
            feats: The backbone's maps, each ``(N, C_i, h_i, w_i)``; ``feats[in_index]`` is read.
        """
        x = feats[self.in_index]
        mean = self.pooled(F.adaptive_avg_pool2d(x, 1)).expand(-1, -1, *x.shape[2:])
        joined = torch.cat([*(branch(x) for branch in self.branches), mean], 1)
        return self.conv(self.project(joined))
