"""A light head over all maps of a pyramid."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from incseg.models.decode_heads.base import BaseDecodeHead, listed
from incseg.registry import MODELS


@MODELS.register_module()
class MLPHead(BaseDecodeHead):
    """The all-MLP head of SegFormer: every layer sees one place at a time.

    Each map becomes ``channels`` wide by a linear layer and as large as the first one; another
    layer with normalisation and ReLU joins them.

    Args:
        in_channels: Channels of each map that is read, or of the only one.
        channels: See :class:`BaseDecodeHead`.
        in_index: Indices of the maps, the largest first, or of the only one.
        kwargs: See :class:`BaseDecodeHead`.

    Source: Xie et al., "SegFormer", NeurIPS 2021, section 3.2.
    """

    def __init__(
        self,
        in_channels: int | Sequence[int],
        channels: int = 256,
        in_index: int | Sequence[int] = -1,
        **kwargs: Any,
    ):
        super().__init__(in_channels, channels, in_index=in_index, **kwargs)
        widths = listed(in_channels)
        self.linear = nn.ModuleList(nn.Conv2d(width, channels, 1) for width in widths)
        self.fuse = ConvModule(channels * len(widths), channels, 1, norm_cfg=self.norm_cfg)

    def forward_features(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Return the features that are classified, ``(N, channels, h, w)``.

        Args:
            feats: The backbone's maps, each ``(N, C_i, h_i, w_i)``; those of ``in_index`` are
                read.
        """
        maps = [layer(feats[i]) for layer, i in zip(self.linear, listed(self.in_index))]
        size = maps[0].shape[2:]
        large = [
            x if x.shape[2:] == size else F.interpolate(x, size, mode='bilinear') for x in maps
        ]
        return self.fuse(torch.cat(large, 1))
