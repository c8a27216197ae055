"""LR-ASPP, the light head of MobileNetV3."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from incseg.models.decode_heads.base import BaseDecodeHead, listed
from incseg.registry import MODELS


@MODELS.register_module()
class LRASPPHead(BaseDecodeHead):
    """A deep map, weighted channel by channel by its mean, beside a shallow map.

    The classifier reads both at the shallow map's size, which equals the published sum of a
    classifier for each.

    Args:
        in_channels: Channels of the maps that are read: ``[shallow, deep]``, or the number of
            the deep map's alone.
        channels: Channels of the deep map after its 1x1 convolution; the features have those
            of the shallow map in addition.
        in_index: Indices of the two maps, or of the deep one alone.
        kwargs: See :class:`BaseDecodeHead`.

    Source: Howard et al., "Searching for MobileNetV3", ICCV 2019, section 6.4.
    """

    def __init__(
        self,
        in_channels: int | Sequence[int],
        channels: int = 128,
        in_index: int | Sequence[int] = -1,
        **kwargs: Any,
    ):
        *shallow, deep = listed(in_channels)
        super().__init__(in_channels, channels + sum(shallow), in_index=in_index, **kwargs)
        self.conv = ConvModule(deep, channels, 1, norm_cfg=self.norm_cfg)
        self.weight = nn.Conv2d(deep, channels, 1, bias=False)

    def forward_features(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Return the features that are classified, ``(N, channels, h, w)``.

        Args:
            feats: The backbone's maps, each ``(N, C_i, h_i, w_i)``; those of ``in_index`` are
                read.
        """
        *shallow, deep = (feats[i] for i in listed(self.in_index))
        features = self.conv(deep) * self.weight(F.adaptive_avg_pool2d(deep, 1)).sigmoid()
        if not shallow:
            return features
        large = F.interpolate(features, shallow[0].shape[2:], mode='bilinear', align_corners=False)
        return torch.cat([shallow[0], large], 1)
