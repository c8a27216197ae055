"""What methods may ask of a backbone: the same maps, and the stages between."""

import pytest
import torch

from incseg.errors import InvalidInputError
from incseg.models import BiSeNet, EncoderDecoder, ResNet


@pytest.mark.parametrize(
    'backbone', [ResNet(18), ResNet(50), BiSeNet(18)], ids=['resnet18', 'resnet50', 'bisenet18']
)
def test_stages_come_with_the_same_maps(backbone):
    """If it fails, a method that reads stages trains another network than one that does not."""
    torch.manual_seed(0)
    backbone.eval()
    x = torch.randn(2, 3, 64, 96)
    maps, stages = backbone.forward_stages(x)
    for ours, plain in zip(maps, backbone(x), strict=True):
        assert torch.equal(ours, plain)
    assert tuple(stage.shape[1] for stage in stages) == backbone.stage_channels
    assert [tuple(stage.shape[2:]) for stage in stages] == [(16, 24), (8, 12), (4, 6), (2, 3)]


@pytest.mark.parametrize('depth', [18, 50])
def test_stages_are_before_the_activation(depth):
    """If it fails, pooled distillation squares what a ReLU has cut."""
    torch.manual_seed(0)
    net = ResNet(depth).eval()
    maps, stages = net.forward_stages(torch.randn(1, 3, 64, 64))
    for plain, stage in zip(maps, stages):
        assert (stage < 0).any()
        assert torch.equal(stage.relu(), plain)


def test_a_backbone_without_stages_is_named():
    """If it fails, a user's own backbone ends in an attribute error deep inside."""
    net = EncoderDecoder(dict(type='ResNet', depth=18), dict(type='FCNHead', channels=8), [3])
    net.backbone.forward = lambda x: (x,)
    with pytest.raises(InvalidInputError, match='ResNet does not offer: its forward.. has no arg'):
        net.extract(torch.randn(1, 3, 64, 64), intermediate=True)


def test_networks_call_the_backbone_itself():
    """If it fails, hooks and compilation do not reach the pass that hands out stages."""
    net = EncoderDecoder(dict(type='ResNet', depth=18), dict(type='FCNHead', channels=8), [3])
    seen = []
    for part in (net.backbone, net.decode_head):
        part.register_forward_hook(lambda module, inputs, outputs: seen.append(module))
    for intermediate in (False, True):
        net.extract(torch.randn(1, 3, 64, 64), intermediate=intermediate)
    assert seen == [net.backbone, net.decode_head] * 2


def test_norm_layers():
    """If it fails, statistics move that a method wants to hold still."""
    net = ResNet(18)
    assert len(net.norm_layers()) == 20 and net.bn1 in net.norm_layers()
    assert ResNet(18, norm_cfg=dict(type='GN', num_groups=4)).norm_layers() == ()


@pytest.mark.parametrize(
    'backbone',
    [ResNet(18, output_stride=8), ResNet(50), BiSeNet(18)],
    ids=['resnet18', 'resnet50', 'bisenet'],
)
def test_taps_are_the_last_three_stages(backbone):
    """If it fails, class activation maps are read from other layers than published."""
    torch.manual_seed(0)
    backbone.eval()
    x = torch.randn(1, 3, 64, 96)
    taps = backbone.taps(x)
    for tap, stage in zip(taps, backbone.forward_stages(x)[1][1:], strict=True):
        assert torch.equal(tap, stage.relu())
    assert tuple(tap.shape[1] for tap in taps) == backbone.tap_channels
