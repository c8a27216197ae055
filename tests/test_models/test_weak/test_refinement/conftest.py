"""A backbone of three maps at strides 8, 16 and 16, and a net on it."""

import pytest
import torch
from torch import nn

from incseg.models import AffinityNet, BaseBackbone


class ThreeMaps(BaseBackbone):
    out_channels = stage_channels = (4, 5, 6)

    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(3, channels, 3, stride, 1)
            for channels, stride in zip(self.out_channels, (8, 16, 16))
        )

    def forward_stages(self, x):
        maps = tuple(conv(x) for conv in self.convs)
        return maps, maps


@pytest.fixture
def affinity_net():
    torch.manual_seed(0)
    return AffinityNet(dict(type=ThreeMaps), channels=(3, 4, 5))
