"""BiSeNet's output head."""

from typing import Any

from mmcv.cnn import ConvModule
from torch import Tensor

from incseg.models.decode_heads.base import BaseDecodeHead
from incseg.registry import MODELS


@MODELS.register_module()
class FCNHead(BaseDecodeHead):
    """BiSeNet's output head: 3x3 convolution, normalisation, ReLU, classifier.

    Args:
        in_channels, channels, kwargs: See :class:`BaseDecodeHead`.

    Source: Yu et al., "BiSeNet", ECCV 2018.
    """

    def __init__(self, in_channels: int, channels: int, **kwargs: Any):
        super().__init__(in_channels, channels, **kwargs)
        self.conv = ConvModule(in_channels, channels, 3, padding=1, norm_cfg=self.norm_cfg)

    def forward_features(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Return the features that are classified, ``(N, channels, h, w)``.

        Args:
            feats: The backbone's maps, each ``(N, C_i, h_i, w_i)``; ``feats[in_index]`` is read.
        """
        return self.conv(feats[self.in_index])
