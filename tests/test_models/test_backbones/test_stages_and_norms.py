"""The interface of backbones: the same maps with and without stages, maps for CAMs, norms."""

import pytest
import torch
from torch import nn

from incseg.errors import InvalidInputError
from incseg.models import BiSeNet, EncoderDecoder, ResNet
from incseg.models.backbones import BatchNorm


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
def test_maps_for_cams_are_the_last_three_stages(backbone):
    """If it fails, class activation maps are read from other layers than published."""
    torch.manual_seed(0)
    backbone.eval()
    x = torch.randn(1, 3, 64, 96)
    maps = backbone.cam_stages(x)
    for ours, stage in zip(maps, backbone.forward_stages(x)[1][1:], strict=True):
        assert torch.equal(ours, stage.relu())
    assert tuple(ours.shape[1] for ours in maps) == backbone.cam_stage_channels
    assert all(torch.equal(*pair) for pair in zip(maps, backbone.taps(x))), 'its name in 0.1'
    assert backbone.tap_channels == backbone.cam_stage_channels


class Renamed(ResNet):
    """A backbone that overrides the maps for CAMs under their present names."""

    cam_stage_channels = (3, 4, 5)

    def cam_stages(self, x):
        return tuple(ours + 1 for ours in super().cam_stages(x))


def test_maps_for_cams_under_their_names_of_before():
    """If it fails, a backbone written for 0.1 is trained on other maps than its own."""
    with pytest.warns(DeprecationWarning) as warnings:

        class Old(ResNet):
            tap_channels = (3, 4, 5)

            def taps(self, x):
                return tuple(ours + 1 for ours in super().taps(x))

    assert [str(warning.message) for warning in warnings] == [
        'Old.taps is now called cam_stages; the old name goes in 0.3',
        'Old.tap_channels is now called cam_stage_channels; the old name goes in 0.3',
    ]
    torch.manual_seed(0)
    x = torch.randn(1, 3, 64, 64)
    for kind in (Old, Renamed):
        net = kind(18).eval()
        expected = [stage.relu() + 1 for stage in net.forward_stages(x)[1][1:]]
        for maps in (net.cam_stages(x), net.taps(x)):
            assert all(torch.equal(*pair) for pair in zip(maps, expected, strict=True))
        assert net.cam_stage_channels == net.tap_channels == (3, 4, 5)


def test_equals_torch_where_torch_works():
    """Values, gradients and running statistics are torch's own."""
    ours, theirs = BatchNorm(3), nn.BatchNorm2d(3)
    for _ in range(2):
        x = torch.randn(2, 3, 4, 4)
        assert torch.equal(ours(x), theirs(x))
    assert torch.equal(ours.running_var, theirs.running_var)
    ours.eval(), theirs.eval()
    assert torch.equal(ours(x), theirs(x))


def test_a_single_value_trains():
    """A batch of one after pooling: torch refuses; here the running statistics serve."""
    norm, x = BatchNorm(3), torch.randn(1, 3, 1, 1, requires_grad=True)
    norm.running_mean.fill_(2.0)
    norm.running_var.fill_(4.0)
    with pytest.raises(ValueError, match='more than 1 value per channel'):
        nn.BatchNorm2d(3)(x)
    out = norm(x)
    assert torch.allclose(out, (x - 2) / (4 + norm.eps) ** 0.5)
    out.sum().backward()
    assert x.grad.isfinite().all() and norm.weight.grad is not None
    assert torch.equal(norm.running_mean, torch.full((3,), 2.0)), 'one value teaches nothing'


def test_becomes_sync_bn():
    """Several GPUs: the conversion must find it."""
    net = nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(BatchNorm(3)))
    assert isinstance(net[0], nn.SyncBatchNorm)


@pytest.mark.parametrize(
    ('wrong', 'intermediate', 'message'),
    [
        (lambda x: (x,), False, r'ResNet.forward_maps returns is \[3\], expected \[64, 128, 256, '),
        (lambda x: x, False, "ResNet.forward_maps returns is 'Tensor', expected"),
        (lambda x, stages: (x, x, x), True, "ResNet.forward_stages is 'tuple', expected a pair"),
        (
            lambda x, stages: (ResNet(18)(x), (x,)),
            True,
            r'ResNet.forward_stages returns is \[3\], expected \[64, .*, its stage_channels',
        ),
    ],
)
def test_maps_that_are_not_as_declared(wrong, intermediate, message):
    """If it fails, a mistake in a user's own backbone is found inside somebody else's layer."""
    net = EncoderDecoder(dict(type='ResNet', depth=18), dict(type='FCNHead', channels=8), [3])
    net.backbone.forward = wrong
    with pytest.raises(InvalidInputError, match=message):
        net.extract(torch.randn(1, 3, 64, 64), intermediate=intermediate)
