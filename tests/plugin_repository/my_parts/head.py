import torch.nn.functional as F
from mmcv.cnn import ConvModule

from incseg.models import BaseDecodeHead
from incseg.registry import MODELS


@MODELS.register_module()
class FirstAndLastHead(BaseDecodeHead):
    """Reads its own map, and the backbone's first one for the details."""

    def __init__(self, in_channels, channels, detail_channels=8, gain=1.0, **kwargs):
        super().__init__(in_channels, channels, **kwargs)
        self.gain = gain
        self.own = ConvModule(in_channels, channels, 1, norm_cfg=self.norm_cfg)
        self.detail = ConvModule(detail_channels, channels, 1, norm_cfg=self.norm_cfg)

    def forward_features(self, feats):
        own, detail = self.own(feats[self.in_index]), self.detail(feats[0])
        small = F.adaptive_avg_pool2d(detail, own.shape[-2:])
        return self.gain * (own + small)
