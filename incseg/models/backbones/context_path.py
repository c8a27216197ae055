import torch.nn.functional as F
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from incseg.models.backbones.attention_refinement import AttentionRefinement
from incseg.models.backbones.pooled_conv import PooledConv
from incseg.models.backbones.resnet import ResNet


class ContextPath(nn.Module):
    """BiSeNet's context path: a ResNet whose deep stages are refined and brought up.

    The global average joins the stage of stride 32; each refined stage is
    upsampled (nearest, to the exact size of the one above) and smoothed.

    Args:
        resnet: The context network.
        channels: Width of the refined maps.
        norm_cfg: Normalisation of every layer.

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
        """``(N, 3, H, W)`` -> the deep map at stride 16, the finer one at stride 8."""
        return self._refine(self.resnet(x))

    def forward_stages(
        self, x: Tensor
    ) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, ...]]:
        """The two maps, and the ResNet's four stages before their last ReLU."""
        maps, stages = self.resnet.forward_stages(x)
        return self._refine(maps), stages

    def _refine(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        _, stage8, stage16, stage32 = maps
        deep = self.refine32(stage32) + self.pool(stage32)
        deep = self.smooth32(F.interpolate(deep, size=stage16.shape[-2:], mode='nearest'))
        fine = self.refine16(stage16) + deep
        fine = self.smooth16(F.interpolate(fine, size=stage8.shape[-2:], mode='nearest'))
        return deep, fine
