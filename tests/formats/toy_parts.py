"""A network of some thousand weights, for checkpoints that are small enough to be kept here."""

import torch.nn.functional as F
from torch import nn

from incseg.models import BaseBackbone
from incseg.registry import MODELS


@MODELS.register_module(force=True)
class KeptBackbone(BaseBackbone):
    """Three convolutions; the maps have strides 2, 4 and 4."""

    def __init__(self, width=8):
        super().__init__()
        self.out_channels = self.stage_channels = (width,) * 3
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(3 if i == 0 else width, width, 3, stride, 1, bias=False),
                nn.BatchNorm2d(width),
            )
            for i, stride in enumerate((2, 2, 1))
        )

    def forward_stages(self, x):
        stages = []
        for layer in self.layers:
            x = layer(F.relu(x) if stages else x)
            stages.append(x)
        return tuple(F.relu(stage) for stage in stages), tuple(stages)
