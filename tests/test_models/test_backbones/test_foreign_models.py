"""Models of other libraries that differ from most: patches, last norms, layers, sizes, options."""

import pytest
import torch
from torch import nn

from incseg.errors import InvalidInputError
from incseg.models.backbones.encoder import Encoder
from incseg.models.backbones.timm_backbone import has_channels_last
from incseg.registry import MODELS
from tests.test_models.test_backbones.test_encoders import backbone, pictures, trained

timm = pytest.importorskip('timm', reason='timm is not installed')


class Patches(Encoder):
    """Patches of 14 pixels, of which the library that they come from says no stride."""

    def __init__(self, padded=True, side=None):
        super().__init__()
        self.net, self.padded, self.side = nn.Conv2d(3, 4, 14, 14), padded, side
        self.read_model()

    def features(self, x):
        assert self.side in (None, x.shape[2]), f'pictures have {self.side} rows'
        down, right = (-side % 14 if self.padded else 0 for side in x.shape[2:])
        return [self.net(nn.functional.pad(x, (0, right, 0, down)))]

    def weights(self):
        raise NotImplementedError


@pytest.mark.parametrize('padded', [True, False])
def test_strides_that_nobody_names(padded):
    """If it fails, maps of patches of 14 pixels are stretched over the picture as those of 12."""
    net = Patches(padded)
    assert net.strides == (14,) and net.multiple == (1 if padded else 14)
    assert net(pictures((112, 97)))[0].shape[2:] == (8, 7)


@pytest.mark.parametrize('side', [64, 224])
def test_a_network_whose_maps_nobody_can_place(side):
    """If it fails, a network starts whose maps lie at other places than the heads assume."""
    with pytest.raises(InvalidInputError, match=r"^Patches name is 'Conv2d', which .*any size"):
        Patches(side=side)


def test_the_last_norm_is_that_of_timm():
    """If it fails, a pre-activation ResNet hands out raw sums, and its last norm never learns."""
    net = trained(backbone('resnetv2_50')).eval()
    with torch.no_grad():
        maps, stages = net(pictures((64, 64)), stages=True)
        expected = net.net.forward_features(pictures((64, 64)))
    torch.testing.assert_close(maps[-1], expected)
    assert (stages[-1] < 0).any() and (maps[-1] >= 0).all()


def test_maps_without_the_last_one_have_no_last_norm():
    """If it fails, the norm of 2048 channels meets a map of 512."""
    net = backbone('resnetv2_50', out_indices=[1, 2]).train()
    value = sum(x.square().mean() for x in net(pictures((64, 64), 2)))
    assert all(
        each is not None
        for each in torch.autograd.grad(value, [*net.parameters()], allow_unused=True)
    )


@pytest.mark.parametrize(
    ('norm', 'last'),
    [
        (nn.LayerNorm(4), True),
        (nn.RMSNorm(4), True),
        (timm.layers.LayerNorm(4), True),
        (timm.layers.RmsNorm(4), True),
        (timm.layers.LayerNorm2d(4), False),
        (timm.layers.RmsNorm2d(4), False),
        (timm.layers.BatchNormAct2d(4), False),
        (timm.layers.GroupNormAct(4, group_size=2), False),
    ],
)
def test_axis_of_the_channels(norm, last):
    """If it fails, a norm takes a row of the map for the channels."""
    assert has_channels_last(norm) is last
    x = torch.randn(1, 3, 5, 4) if last else torch.randn(1, 4, 3, 5)
    assert norm.eval()(x).shape == x.shape


@pytest.mark.parametrize(
    ('name', 'options', 'first', 'last'),
    [
        ('densenet121', dict(block_config=(1, 1, 1, 1), growth_rate=4), 'conv0', 'denseblock1'),
        ('resnet10t', {}, 'conv1', 'layer1'),
    ],
)
def test_early_layers_by_name(name, options, first, last):
    """If it fails, SEAM's fine-tuning ends with an error, or trains other layers."""
    net = MODELS.build(dict(type='TimmBackbone', name=name, options=options))
    names = {id(module): key.rpartition('.')[2] for key, module in net.named_modules()}
    early = [names[id(each)] for each in net.early_layers()]
    if name == 'resnet10t':
        assert early[0] == first and early[-1].isdigit() or early[-1] == last
    else:
        assert early[0] == first and early[-1] == last and 'denseblock2' not in early


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (
            dict(name='beit_base_patch16_224', options=dict(depth=1, embed_dim=12, num_heads=1)),
            r"name is 'beit_base_patch16_224', which takes pictures of one size only \(Input",
        ),
        (
            dict(name='efficientformer_l1'),
            "name is 'efficientformer_l1', which takes pictures of one size only",
        ),
        (dict(name='resnet10t.bogus'), r"name is 'resnet10t.bogus', .*bogus"),
        (dict(name='vit_tiny_patch16_224', options=dict(num_heads=5)), 'timm does not build'),
        (dict(name='resnet10t', output_stride=12), 'output_stride is 12, expected 8, 16 or 32'),
        (dict(name='resnet10t', output_stride=64), 'output_stride is 64, expected 8, 16 or 32'),
        (dict(name='resnet10t', output_stride=4), 'output_stride is 4, expected 8, 16 or 32'),
        (dict(name='resnet10t', output_stride='16'), "output_stride is '16', expected 8, 16"),
        (dict(name='resnet10t', out_indices=[]), r'out_indices is \[\], expected numbers from 0'),
        (dict(name='resnet10t', out_indices=[3, 2]), r'out_indices is \[3, 2\], .*ascending'),
        (
            dict(type='TorchvisionBackbone', name='resnet18', output_stride=4),
            'TorchvisionBackbone output_stride is 4, expected 8, 16 or 32',
        ),
        (
            dict(type='TorchvisionBackbone', name='resnet18', out_layers=[]),
            r'out_layers is \[\], expected numbers from 0',
        ),
        (
            dict(type='TorchvisionBackbone', name='resnet18', options=dict(deepth=3)),
            'options: resnet18 of torchvision: .*deepth',
        ),
    ],
)
def test_what_is_refused(config, message):
    """If it fails, a mistake is a traceback of another library, or is taken for something else."""
    with pytest.raises(InvalidInputError, match=message) as error:
        MODELS.build({'type': 'TimmBackbone', **config})
    assert '\n' not in str(error.value)
