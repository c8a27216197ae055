from typing import Any

from mmcv.cnn import ConvModule
from torch import Tensor

from incseg.models.decode_heads.base import BaseDecodeHead
from incseg.registry import MODELS


@MODELS.register_module()
class FCNHead(BaseDecodeHead):
    """3x3 convolution, normalisation, ReLU, classifier: BiSeNet's output head.

    Args:
        kwargs: See :class:`BaseDecodeHead`.
    """

    def __init__(self, in_channels: int, channels: int, **kwargs: Any):
        super().__init__(in_channels, channels, **kwargs)
        self.conv = ConvModule(in_channels, channels, 3, padding=1, norm_cfg=self.norm_cfg)

    def forward_features(self, feats: tuple[Tensor, ...]) -> Tensor:
        return self.conv(feats[self.in_index])
