"""DeepLabV3+'s head: a pyramid of separable convolutions, refined by a shallow map."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from incseg.models.decode_heads.base import BaseDecodeHead, listed
from incseg.registry import MODELS
from incseg.utils.rules import checked, expected, one_or_list, whole


@MODELS.register_module()
class DeepLabV3PlusHead(BaseDecodeHead):
    """DeepLabV3+: the pyramid of DeepLabV3 at the deep map, enlarged and joined with a shallow map.

    The 3x3 convolutions are separable.  Maps are enlarged with aligned corners, as in
    segmentation_models.pytorch.

    Args:
        in_channels: Channels of the maps that are read: ``[shallow, deep]``, or the number of
            the deep map's alone.
        channels: Channels of each branch of the pyramid and of the features.
        in_index: Indices of the two maps, or of the deep one alone.
        rates: Distances of the taps of the pyramid's 3x3 convolutions, in places of the map.
        low_channels: Channels of the shallow map after its 1x1 convolution.
        upsample: How many times the logits are finer than the features.
        kwargs: See :class:`BaseDecodeHead`.

    Raises:
        InvalidInputError: There are more than two maps, or a number is not a whole one above 0.

    Source: Chen et al., "Encoder-Decoder with Atrous Separable Convolution for Semantic Image
    Segmentation", ECCV 2018.
    """

    def __init__(
        self,
        in_channels: int | Sequence[int],
        channels: int = 256,
        in_index: int | Sequence[int] = -1,
        rates: Sequence[int] = (12, 24, 36),
        low_channels: int = 48,
        upsample: int = 1,
        **kwargs: Any,
    ):
        super().__init__(in_channels, channels, in_index=in_index, **kwargs)
        *shallow, deep = listed(in_channels)
        if len(shallow) > 1:
            raise expected('in_index of DeepLabV3PlusHead', in_index, 'two maps, [shallow, deep]')
        rates = checked('rates of DeepLabV3PlusHead', list(rates), one_or_list(whole(1)))
        self.upsample = checked('upsample of DeepLabV3PlusHead', upsample, whole(1))
        checked('low_channels of DeepLabV3PlusHead', low_channels, whole(1))

        def conv(inputs: int, outputs: int = channels) -> ConvModule:
            return ConvModule(inputs, outputs, 1, norm_cfg=self.norm_cfg)

        def separable(inputs: int, rate: int = 1) -> nn.Sequential:
            return nn.Sequential(
                nn.Conv2d(inputs, inputs, 3, 1, rate, rate, groups=inputs, bias=False),
                conv(inputs),
            )

        self.branches = nn.ModuleList([conv(deep), *(separable(deep, rate) for rate in rates)])
        self.pooled = conv(deep)
        self.project = conv(channels * (2 + len(rates)))
        self.smooth = separable(channels)
        self.low = conv(shallow[0], low_channels) if shallow else None
        self.fuse = separable(channels + low_channels * len(shallow))

    def forward_features(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Return the features that are classified, ``(N, channels, h, w)``.

        Args:
            feats: The backbone's maps, each ``(N, C_i, h_i, w_i)``; those of ``in_index`` are
                read.
        """
        *shallow, x = (feats[i] for i in listed(self.in_index))
        mean = self.pooled(F.adaptive_avg_pool2d(x, 1)).expand(-1, -1, *x.shape[2:])
        x = self.project(torch.cat([*(branch(x) for branch in self.branches), mean], 1))
        x = self.smooth(x)
        if self.low is not None:
            size = shallow[0].shape[2:]
            x = F.interpolate(x, size, mode='bilinear', align_corners=True)
            x = torch.cat([x, self.low(shallow[0])], 1)
        return self.fuse(x)

    def classify(self, features: Tensor) -> Tensor:
        """Return logits of features ``(N, channels, h, w)``.

        Returns:
            ``(N, num_outputs, upsample * h, upsample * w)``.
        """
        logits = super().classify(features)
        if self.upsample == 1:
            return logits
        size = [self.upsample * side for side in logits.shape[2:]]
        return F.interpolate(logits, size, mode='bilinear', align_corners=True)
