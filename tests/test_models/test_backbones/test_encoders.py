"""Networks of timm and torchvision as backbones: any size, stages, norms that hold activations."""

import sys

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from incseg.apis import prepare_for_inference
from incseg.errors import InvalidInputError
from incseg.models import EncoderDecoder
from incseg.models.across_processes import share_batch_norm, sync_batch_norm
from incseg.models.backbones import BatchNorm, ResNet
from incseg.models.backbones.activated_norm import ActivatedBatchNorm
from incseg.registry import MODELS

timm = pytest.importorskip('timm', reason='timm is not installed')

#: small networks of timm that take the ways of the large ones, with the strides of their maps
SMALL = {
    'convnext_atto': (dict(depths=(1, 1, 1, 1), dims=(8, 12, 16, 20)), (4, 8, 16, 32)),
    'mobilenetv3_small_050': ({}, (4, 8, 16, 32)),
    'resnet10t': ({}, (4, 8, 16, 32)),
    'resnetv2_50': (dict(layers=(1, 1, 1, 1), channels=(8, 8, 16, 16)), (4, 8, 16, 32)),
    'swin_tiny_patch4_window7_224': (
        dict(depths=(1, 1, 2, 1), embed_dim=12, num_heads=(1, 2, 2, 2)),
        (4, 8, 16, 32),
    ),
    'vit_small_patch14_dinov2': (dict(depth=4, embed_dim=24, num_heads=2), (14, 14, 14, 14)),
    'vit_tiny_patch16_224': (dict(depth=4, embed_dim=24, num_heads=2), (16, 16, 16, 16)),
}
EACH = pytest.mark.parametrize('name', SMALL)


def backbone(name, **kwargs):
    torch.manual_seed(0)
    config = dict(type='TimmBackbone', name=name, options=SMALL[name][0])
    return MODELS.build({**config, **kwargs})


def pictures(size=(97, 131), count=1):
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(0))


def trained(model):
    """With statistics and scales as after training."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            count = module.num_features
            module.weight.data = 0.5 + torch.rand(count, generator=generator)
            module.bias.data = 0.2 * torch.randn(count, generator=generator)
            module.running_mean = 0.2 * torch.randn(count, generator=generator)
            module.running_var = 0.5 + torch.rand(count, generator=generator)
    return model


@EACH
def test_any_size(name):
    """If it fails, a picture of an odd size ends the run, or its maps lie at other places."""
    net = backbone(name).eval()
    assert net.strides == SMALL[name][1]
    for size in ((97, 131), (64, 64), (112, 112), (8, 8)):
        with torch.no_grad():
            maps, stages = net(pictures(size), stages=True)
        assert [x.shape[1] for x in maps] == [*net.out_channels]
        for x, stage, stride in zip(maps, stages, net.strides):
            assert [*x.shape[2:]] == [-(-side // stride) for side in size]
            assert x.shape == stage.shape and x.isfinite().all()


@pytest.mark.parametrize('stride', [16, 32])
def test_maps_of_networks_that_pad_by_size(stride):
    """If it fails, the maps of most photographs lie beside those that the heads learned with."""
    config = dict(type='TimmBackbone', name='tf_efficientnet_lite0', output_stride=stride)
    net = trained(MODELS.build(config)).eval()
    assert net.multiple == stride
    x = pictures((97, 131))
    whole = nn.functional.pad(x, (0, -131 % stride, 0, -97 % stride))
    with torch.no_grad():
        for map_, wide in zip(net(x), net(whole), strict=True):
            torch.testing.assert_close(map_, wide[..., : map_.shape[2], : map_.shape[3]])


@EACH
def test_every_weight_is_trained(name):
    """If it fails, several processes wait for the gradient of a weight that has none."""
    net = backbone(name).train()
    value = sum(x.square().mean() for x in net(pictures(count=2)))
    found = torch.autograd.grad(value, [*net.parameters()], allow_unused=True)
    assert all(gradient is not None for gradient in found)


def test_the_resnet_of_torchvision():
    """If it fails, maps or stages of PLOP are others than those of the same network elsewhere."""
    torch.manual_seed(0)
    ours = trained(ResNet(18)).eval()
    twins = [
        MODELS.build(dict(type='TimmBackbone', name='resnet18')),
        MODELS.build(dict(type='TorchvisionBackbone', name='resnet18')),
    ]
    for twin in twins:
        twin.net.load_state_dict(ours.state_dict())
        twin.eval()
        assert twin.out_channels == ours.out_channels and twin.strides == ours.strides
        assert all(twin.stages_before_activation)
        with torch.no_grad():
            for a, b in zip(ours(pictures(), stages=True), twin(pictures(), stages=True)):
                for x, y in zip(a, b, strict=True):
                    torch.testing.assert_close(y, x, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('stride', [8, 16])
def test_a_dilated_resnet_of_torchvision(stride):
    """If it fails, weights that were trained with strides see other pixels with dilation."""
    torch.manual_seed(0)
    ours = trained(ResNet(18, output_stride=stride)).eval()
    twin = MODELS.build(dict(type='TorchvisionBackbone', name='resnet18', output_stride=stride))
    twin.net.load_state_dict(ours.state_dict())
    with torch.no_grad():
        for x, y in zip(ours(pictures()), twin.eval()(pictures()), strict=True):
            torch.testing.assert_close(y, x, rtol=1e-5, atol=1e-5)


def test_dilation_of_larger_kernels():
    """If it fails, the maps of a dilated MobileNetV3 have another size than is said."""
    net = MODELS.build(dict(type='TorchvisionBackbone', name='mobilenet_v3_small', output_stride=8))
    assert net.strides == (4, 8, 8, 8) or net.strides[-1] == 8
    convs = [m for m in net.net.modules() if isinstance(m, nn.Conv2d)]
    assert any(conv.kernel_size == (5, 5) and conv.dilation[0] > 1 for conv in convs)
    maps = net.eval()(pictures())
    assert [*maps[-1].shape[2:]] == [13, 17]


@pytest.mark.parametrize('name', ['resnet10t', 'mobilenetv3_small_050'])
def test_stages_before_the_activation(name):
    """If it fails, PLOP compares activated maps, half of which is zero."""
    net = trained(backbone(name)).eval()
    with torch.no_grad():
        maps, stages = net(pictures(), stages=True)
    assert all(net.stages_before_activation)
    for x, stage in zip(maps, stages):
        assert (stage < -0.4).any()
        same = torch.equal(stage, x)
        activated = torch.equal(stage.relu(), x) or torch.equal(nn.functional.hardswish(stage), x)
        assert same or activated
    assert not torch.equal(maps[-1], stages[-1]), 'both networks end with an activation'


def test_norms_that_hold_activations():
    """If it fails, folding, or the batch of all processes, loses timm's activations."""
    net = trained(backbone('mobilenetv3_small_050')).eval()
    assert any(isinstance(m, ActivatedBatchNorm) for m in net.modules())
    assert all(isinstance(m, BatchNorm) for m in net.modules() if isinstance(m, _BatchNorm))
    with torch.no_grad():
        whole = timm.create_model('mobilenetv3_small_050', num_classes=0).eval()
        own = net.net.state_dict()
        whole.load_state_dict(own, strict=False)
        expected = whole.forward_intermediates(pictures(), intermediates_only=True)[-4:]
        before = net(pictures())
        for x, y in zip(before, expected, strict=True):
            torch.testing.assert_close(x, y, rtol=1e-4, atol=1e-4)
        for convert in (share_batch_norm, sync_batch_norm):
            other = trained(backbone('mobilenetv3_small_050')).eval()
            names = other.state_dict().keys()
            convert(other)
            assert other.state_dict().keys() == names
            norms = [m for m in other.modules() if isinstance(m, _BatchNorm)]
            assert norms and not any(isinstance(m, BatchNorm) for m in norms)
            for x, y in zip(other(pictures(), stages=True)[0], before, strict=True):
                torch.testing.assert_close(x, y, rtol=1e-4, atol=1e-4)


@EACH
def test_prepared_for_inference(name):
    """If it fails, the fast network predicts other classes, or a ViT ends the folding."""
    torch.manual_seed(0)
    config = dict(type='TimmBackbone', name=name, options=SMALL[name][0])
    model = trained(EncoderDecoder(config, dict(type='FCNHead'), [3, 2])).eval()
    for conv in model.decode_head.classifier.convs:
        nn.init.normal_(conv.weight, std=0.2)
    fast = prepare_for_inference(model, 'float32')
    left = sum(isinstance(module, _BatchNorm) for module in fast.modules())
    outside = {'resnet10t': 1, 'resnetv2_50': 5}  # norms that no convolution of theirs lies before
    assert left == outside.get(name, 0)
    with torch.no_grad():
        expected, found = model(pictures()), fast(pictures())
        assert (found - expected).abs().max() < 1e-4 * expected.abs().max()
        stages = [net.backbone(pictures(), stages=True)[1] for net in (model, fast)]
    for x, y in zip(*stages, strict=True):
        torch.testing.assert_close(y, x, rtol=1e-3, atol=1e-3)


class FixedSize(nn.Module):
    """A backbone that takes pictures of one size only, with a norm."""

    out_channels = (4,)
    trial_size = (32, 32)

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)

    def forward(self, x):
        assert x.shape[2:] == (32, 32), 'fixed size'
        return (self.norm(self.conv(x)),)


@pytest.mark.parametrize('known', [True, False])
def test_folding_of_a_network_of_one_size(known, monkeypatch):
    """If it fails, a network that refuses the picture of the trial cannot be made ready."""
    MODELS.register_module(name='FixedSize', force=True, module=FixedSize)
    monkeypatch.setattr(FixedSize, 'trial_size', (32, 32) if known else (64, 64))
    model = EncoderDecoder(dict(type='FixedSize'), dict(type='FCNHead'), [2]).eval()
    if known:
        fast = prepare_for_inference(model, 'float32')
    else:
        with pytest.warns(UserWarning, match='no image of 64 x 64 .fixed size.*trial_size'):
            fast = prepare_for_inference(model, 'float32')
    assert any(isinstance(m, _BatchNorm) for m in fast.modules()) is not known
    x = pictures((32, 32))
    torch.testing.assert_close(fast(x), model(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (
            dict(type='TimmBackbone', name='resnet51'),
            'expected a model of timm [^;]*; did you mean',
        ),
        (
            dict(type='TorchvisionBackbone', name='resnet_18'),
            "torchvision; did you mean 'resnet18'",
        ),
        (
            dict(type='TimmBackbone', name='mobilenetv3_small_050', output_stride=8),
            'output_stride is 8, expected 32: mobilenetv3_small_050',
        ),
        (
            dict(type='TimmBackbone', name='resnet10t', out_indices=[9]),
            r'out_indices is \[9\], expected numbers from 0 to 4',
        ),
        (
            dict(type='TimmBackbone', name='resnet10t', options=dict(deepth=3)),
            'options: resnet10t of timm.*deepth',
        ),
        (
            dict(type='TorchvisionBackbone', name='vit_b_16'),
            "name is 'vit_b_16', expected a convolutional model",
        ),
        (
            dict(type='TorchvisionBackbone', name='convnext_tiny', output_stride=16),
            'output_stride is 16, expected 32: convnext_tiny has strided',
        ),
        (
            dict(type='BiSeNet', context=dict(type='TimmBackbone', name='vit_tiny_patch16_224')),
            "BiSeNet context is 'vit_tiny_patch16_224', expected .*strides 8, 16 and 32",
        ),
    ],
)
def test_what_is_refused(config, message):
    """If it fails, a mistake in the config is a traceback of another library."""
    with pytest.raises(InvalidInputError, match=message) as error:
        MODELS.build(config)
    assert '\n' not in str(error.value) and str(error.value).count('did you mean') <= 1


def test_without_timm(monkeypatch):
    """If it fails, a machine without the extra gets a traceback."""
    monkeypatch.setitem(sys.modules, 'timm', None)
    with pytest.raises(InvalidInputError, match=r"pip install 'incseg\[timm\]'"):
        MODELS.build(dict(type='TimmBackbone', name='resnet18'))
