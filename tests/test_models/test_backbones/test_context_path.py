"""The context path."""

import pytest
import torch
import torch.nn.functional as F

from incseg.models.backbones.bisenet import ContextPath
from incseg.models.backbones.resnet import ResNet

BN = dict(type='BN')


@pytest.fixture
def path() -> ContextPath:
    return ContextPath(ResNet(18), 16, BN).eval()


def test_follows_the_paper(path):
    """If it fails, the global average or a refined stage does not reach the result."""
    x = torch.randn(1, 3, 70, 50)
    _, stage8, stage16, stage32 = path.resnet(x)
    deep = path.refine32(stage32) + path.pool(stage32)
    deep = path.smooth32(F.interpolate(deep, stage16.shape[-2:], mode='nearest'))
    fine = F.interpolate(path.refine16(stage16) + deep, stage8.shape[-2:], mode='nearest')
    torch.testing.assert_close(path(x), (deep, path.smooth16(fine)))


@pytest.mark.parametrize('size', [(1, 1), (33, 31), (64, 96)])
def test_sizes(path, size):
    """If it fails, inputs that are no multiple of 32 cannot be segmented."""
    for stride, out in zip((16, 8), path(torch.randn(1, 3, *size))):
        assert out.shape == (1, 16, -(-size[0] // stride), -(-size[1] // stride))
