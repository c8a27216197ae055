from mmcv.cnn import build_norm_layer
from torch import nn

from incseg.models.backbones.base_backbone import BaseBackbone
from incseg.registry import MODELS


@MODELS.register_module()
class SmallBackbone(BaseBackbone):
    """Three strided convolutions; every stage is a map."""

    def __init__(self, widths=(8, 16, 24), norm_cfg=None):
        super().__init__()
        self.out_channels = self.stage_channels = tuple(widths)
        self.stages = nn.ModuleList()
        for before, after in zip((3, *widths), widths):
            _, norm = build_norm_layer(norm_cfg or dict(type='incseg.BN'), after)
            self.stages.append(nn.Sequential(nn.Conv2d(before, after, 3, 2, 1), norm))

    def init_weights(self):
        nn.init.kaiming_normal_(self.stages[0][0].weight, nonlinearity='relu')

    def early_layers(self):
        return (self.stages[0],)

    def forward_maps(self, x):
        maps = []
        for stage in self.stages:
            x = stage(x).relu()
            maps.append(x)
        return tuple(maps)

    def forward_stages(self, x):
        maps, stages = [], []
        for stage in self.stages:
            stages.append(stage(x))
            x = stages[-1].relu()
            maps.append(x)
        return tuple(maps), tuple(stages)
