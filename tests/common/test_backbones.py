"""What every registered backbone promises."""

import pytest
import torch
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import Registry
from torch import nn

from incseg.registry import MODELS
from tests.common.contract import Contract, Example

#: The promise: the strides of the maps that heads read, at sizes rounded up.
BACKBONES = Contract(
    'backbone',
    MODELS,
    'incseg.models.backbones',
    dict(
        BiSeNet=Example((16, 8, 8), depth=18),
        ResNet=Example((4, 8, 16, 32), depth=18),
        ResNet38d=Example((8, 8, 8), width=2),
        ScopedBackbone=Example((2, 4, 8), backbone=dict(type='toy_family.ToyNet')),
        TimmBackbone=Example((4, 8, 16, 32), name='tf_efficientnet_lite0'),
        TorchvisionBackbone=Example((4, 8, 16, 32), name='mobilenet_v3_small'),
    ),
    __file__,
    but=('incseg.models.backbones.base',),
)
TOY_FAMILY = Registry('model', parent=ROOT_MODELS, scope='toy_family')


@TOY_FAMILY.register_module(force=True)
class ToyNet(nn.Module):
    """A backbone of another package: it returns maps, and says nothing of them."""

    def __init__(self):
        super().__init__()
        layers = [
            nn.Sequential(nn.Conv2d(i, o, 3, 2, 1), nn.BatchNorm2d(o), nn.ReLU(inplace=True))
            for i, o in ((3, 4), (4, 6), (6, 8))
        ]
        self.layers = nn.ModuleList(layers)

    def forward(self, x):
        maps = []
        for layer in self.layers:
            x = layer(x)
            maps.append(x)
        return tuple(maps)


ODD = torch.Size((97, 131))


def images(count=1, size=ODD):
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(0))


def backbone(name, **options):
    if name == 'TimmBackbone':
        pytest.importorskip('timm')
    torch.manual_seed(0)
    return BACKBONES.build(name, **options).eval()


@BACKBONES.each()
@torch.no_grad()
def test_channels_are_those_that_are_named(name):
    """If it fails, a head is built for other maps than it gets, or reads the wrong scale."""
    net = backbone(name)
    for size in (ODD, (32, 32), (33, 40)):
        maps = net(images(size=size))
        again, stages = net(images(size=size), stages=True)
        assert tuple(x.shape[1] for x in maps) == net.out_channels
        assert tuple(x.shape[1] for x in stages) == net.stage_channels
        assert len(maps) == len(BACKBONES[name].promise)
        for x, stride in zip(maps, BACKBONES[name].promise):
            assert list(x.shape[2:]) == [-(-side // stride) for side in size]
        for x, y in zip(maps, again):
            torch.testing.assert_close(x, y, rtol=1e-5, atol=1e-6)
        maps = net.cam_stages(images(size=size))
        assert tuple(x.shape[1] for x in maps) == net.cam_stage_channels and len(maps) == 3
        assert all((x >= 0).all() for x in maps), 'activated'


@BACKBONES.each()
@torch.no_grad()
def test_images_do_not_depend_on_one_another(name):
    """If it fails, a prediction changes with the batch that an image is in, or by itself."""
    net = backbone(name)
    batch = images(3, (33, 40))
    together = net(batch)
    for i in range(3):
        for x, y in zip(net(batch[i : i + 1]), together):
            torch.testing.assert_close(x[0], y[i], rtol=1e-4, atol=1e-5)
    assert all(map(torch.equal, net(batch), together))


@BACKBONES.each()
def test_every_weight_is_trained_and_saved(name):
    """If it fails, a part of the network learns nothing, or is lost between two steps."""
    net = backbone(name).train()
    maps, stages = net(images(2, (40, 33)), stages=True)
    value = sum(x.square().mean() for x in maps)
    gradients = torch.autograd.grad(value, list(net.parameters()), allow_unused=True)
    assert all(gradient is not None for gradient in gradients)
    torch.manual_seed(1)
    other = BACKBONES.build(name).eval()
    other.load_state_dict(net.state_dict())
    net.eval()
    assert all(map(torch.equal, net(images(1, (40, 33))), other(images(1, (40, 33)))))


@BACKBONES.each()
def test_parts_that_methods_freeze(name):
    """If it fails, a frozen backbone's statistics drift, or another part is held than is named."""
    net = backbone(name).train()
    norms, inside = net.norm_layers(), list(net.modules())
    statistics = {key for key in net.state_dict() if 'running_' in key}
    named = {
        f'{key}.{buffer}'
        for key, module in net.named_modules()
        if any(module is norm for norm in norms)
        for buffer in ('running_mean', 'running_var')
    }
    assert statistics == named and statistics
    assert all(any(module is part for part in inside) for module in net.early_layers())
    before = {key: net.state_dict()[key].clone() for key in statistics}
    for norm in norms:
        norm.eval()
    net(images(2, (40, 33)))
    assert all(torch.equal(net.state_dict()[key], before[key]) for key in statistics)


@BACKBONES.each()
def test_trains_on_one_small_image(name):
    """If it fails, a last batch of one image, or a crop below the stride, ends the run."""
    net = backbone(name).train()
    assert all(x.isfinite().all() for x in net(images(1, (8, 8))))
