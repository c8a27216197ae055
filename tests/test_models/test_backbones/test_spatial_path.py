"""The spatial path."""

import pytest
import torch
from torch import nn

from incseg.models.backbones.bisenet import SpatialPath


@pytest.mark.parametrize('size', [(1, 1), (8, 8), (9, 17), (64, 40)])
def test_stride_eight_rounded_up(size):
    """If it fails, the two paths of BiSeNet meet at different sizes."""
    layer = SpatialPath((4, 5, 6, 7), dict(type='BN')).eval()
    out = layer(torch.randn(1, 3, *size))
    assert out.shape == (1, 7, -(-size[0] // 8), -(-size[1] // 8))


def test_convolutions():
    """If it fails, the path is not 7x7, 3x3, 3x3 (stride 2 each) and 1x1."""
    layer = SpatialPath((4, 5, 6, 7), dict(type='BN'))
    convs = [m for m in layer.modules() if isinstance(m, nn.Conv2d)]
    assert [(c.kernel_size[0], c.stride[0], c.out_channels) for c in convs] == [
        (7, 2, 4),
        (3, 2, 5),
        (3, 2, 6),
        (1, 1, 7),
    ]
