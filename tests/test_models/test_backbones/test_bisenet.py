"""BiSeNet: cost, sizes, norms, and its modules as the paper has them."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.flop_counter import FlopCounterMode

from incseg.errors import InvalidInputError
from incseg.models import BiSeNet, FCNHead
from incseg.models.backbones import bisenet
from incseg.models.backbones.bisenet import (
    AttentionRefinement,
    ContextPath,
    FeatureFusion,
    PooledConv,
    SpatialPath,
)
from incseg.models.backbones.resnet import ResNet


def on_meta(depth: int, width: str) -> nn.ModuleList:
    """BiSeNet with its three heads for 21 classes, without memory."""
    with torch.device('meta'):
        net = BiSeNet(depth, width)
        heads = [
            FCNHead(c, c // shrink, in_index=i)
            for i, (c, shrink) in enumerate(zip(net.out_channels, (2, 2, 1)))
        ]
        for head in heads:
            head.build_classifier([16, 5])
    return nn.ModuleList([net, *heads]).eval()


@pytest.mark.parametrize(
    ('depth', 'width', 'params', 'gmac'),
    [
        (18, 'narrow', 13.39, 14.8),
        (50, 'wide', 58.72, 98.8),
        (101, 'narrow', 47.57, 47.4),
        (101, 'wide', 77.71, 118.2),
    ],
)
def test_cost(depth, width, params, gmac):
    """If it fails, the README's cost table is wrong: a layer's width or stride has changed."""
    net, *heads = on_meta(depth, width)
    with FlopCounterMode(display=False) as counter:
        heads[-1](net(torch.empty(1, 3, 512, 512, device='meta')))  # as at inference
    assert counter.get_total_flops() / 2e9 == pytest.approx(gmac, abs=0.05)
    total = sum(p.numel() for module in (net, *heads) for p in module.parameters())
    assert total / 1e6 == pytest.approx(params, abs=0.01)


@pytest.mark.parametrize(
    'size', [(1, 1), (2, 3), (7, 300), (31, 33), (32, 32), (97, 65), (64, 128)]
)
def test_any_input_size(size):
    """If it fails, whole images of a data set cannot be tested; 1x1 is the smallest."""
    torch.manual_seed(0)
    net = BiSeNet(18).eval()
    with torch.no_grad():
        maps = net(torch.randn(2, 3, *size))
    for out, stride, channels in zip(maps, (16, 8, 8), net.out_channels):
        assert out.shape == (2, channels, -(-size[0] // stride), -(-size[1] // stride))
        assert out.isfinite().all()
    assert len(maps) == len(net.out_channels) == 3


@pytest.mark.parametrize(
    ('batch', 'size'), [(1, (33, 1)), (1, (32, 33)), (1, (64, 64)), (2, (1, 1)), (3, (32, 32))]
)
def test_small_batches_train(batch, size):
    """If it fails, a batch of one does not train, or leaves parameters without a gradient.

    A batch of one needs a side of more than 32 pixels: below, the deepest
    stage has a single value per channel, of which BatchNorm knows no variance.
    """
    torch.manual_seed(0)
    net = BiSeNet(18)
    loss = sum(out.square().mean() for out in net(torch.randn(batch, 3, *size)))
    loss.backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    for name, buffer in net.named_buffers():
        assert buffer.isfinite().all(), name


@pytest.mark.parametrize('size', [(32, 32), (20, 64), (1, 1)])
def test_smallest_batch_of_one(size):
    """If it fails, one small image no longer trains: stride 32 leaves one value per channel."""
    network = BiSeNet(18)
    sum(out.sum() for out in network(torch.randn(1, 3, *size))).backward()
    assert all(p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize(('depth', 'width'), [(18, 'narrow'), (50, 'wide')])
@pytest.mark.parametrize('kind', ['GN', 'SyncBN'])
def test_norm_cfg_reaches_every_layer(depth, width, kind):
    """If it fails, a SyncBN or GN config leaves plain BatchNorm behind (as mmseg does)."""
    norm_cfg = dict(type=kind, num_groups=8) if kind == 'GN' else dict(type=kind)
    wanted = nn.GroupNorm if kind == 'GN' else nn.SyncBatchNorm
    with torch.device('meta'):
        default = list(BiSeNet(depth, width).modules())
        modules = list(BiSeNet(depth, width, norm_cfg=norm_cfg).modules())
    assert sum(isinstance(m, wanted) for m in modules) == sum(
        isinstance(m, nn.BatchNorm2d) for m in default
    )
    assert not any(isinstance(m, _BatchNorm) and not isinstance(m, wanted) for m in modules)


def test_group_norm_trains_with_a_batch_of_one():
    """If it fails, the norm without batch statistics still depends on the batch."""
    torch.manual_seed(0)
    net = BiSeNet(18, norm_cfg=dict(type='GN', num_groups=8))
    sum(out.square().mean() for out in net(torch.randn(1, 3, 32, 32))).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(width='medium'), r"width is 'medium', expected 'narrow' or 'wide'"),
        (dict(width=None), 'width is None'),
        (dict(depth=19), r'depth is 19, expected 18, 34, 50 or 101'),
    ],
)
def test_wrong_arguments(arguments, message):
    """If it fails, a typo in a config does not name what is allowed."""
    with pytest.raises(InvalidInputError, match=message):
        BiSeNet(**arguments)


def test_init_weights_is_the_resnets(monkeypatch):
    """If it fails, `pretrained` of the config does not reach the ResNet."""
    with torch.device('meta'):
        net = BiSeNet(18, pretrained=True)
    calls = []
    monkeypatch.setattr(bisenet.ResNet, 'init_weights', lambda self: calls.append(self.pretrained))
    net.init_weights()
    assert calls == [True]


BN = dict(type='BN')


@pytest.fixture
def context_path() -> ContextPath:
    return ContextPath(ResNet(18), 16, BN).eval()


def test_context_path_follows_the_paper(context_path):
    """If it fails, the global average or a refined stage does not reach the result."""
    x = torch.randn(1, 3, 70, 50)
    _, stage8, stage16, stage32 = context_path.resnet(x)
    deep = context_path.refine32(stage32) + context_path.pool(stage32)
    deep = context_path.smooth32(F.interpolate(deep, stage16.shape[-2:], mode='nearest'))
    fine = F.interpolate(context_path.refine16(stage16) + deep, stage8.shape[-2:], mode='nearest')
    torch.testing.assert_close(context_path(x), (deep, context_path.smooth16(fine)))


@pytest.mark.parametrize('size', [(1, 1), (33, 31), (64, 96)])
def test_context_path_at_any_size(context_path, size):
    """If it fails, inputs that are no multiple of 32 cannot be segmented."""
    for stride, out in zip((16, 8), context_path(torch.randn(1, 3, *size))):
        assert out.shape == (1, 16, -(-size[0] // stride), -(-size[1] // stride))


@pytest.mark.parametrize('size', [(1, 1), (8, 8), (9, 17), (64, 40)])
def test_spatial_path_rounds_up(size):
    """If it fails, the two paths of BiSeNet meet at different sizes."""
    layer = SpatialPath((4, 5, 6, 7), dict(type='BN')).eval()
    out = layer(torch.randn(1, 3, *size))
    assert out.shape == (1, 7, -(-size[0] // 8), -(-size[1] // 8))


def test_convolutions_of_the_spatial_path():
    """If it fails, the path is not 7x7, 3x3, 3x3 (stride 2 each) and 1x1."""
    layer = SpatialPath((4, 5, 6, 7), dict(type='BN'))
    convs = [m for m in layer.modules() if isinstance(m, nn.Conv2d)]
    assert [(c.kernel_size[0], c.stride[0], c.out_channels) for c in convs] == [
        (7, 2, 4),
        (3, 2, 5),
        (3, 2, 6),
        (1, 1, 7),
    ]


def test_fusion_is_the_map_plus_its_attended_self():
    """If it fails, the fused map is not x + x * attention(x) with the paper's attention."""
    layer = FeatureFusion(8, 12, dict(type='BN'), reduction=4).eval()
    spatial, context = torch.randn(2, 5, 4, 6), torch.randn(2, 3, 4, 6)
    x = layer.conv(torch.cat([spatial, context], 1))
    squeeze, excite = layer.squeeze.conv.conv, layer.excite.conv
    assert squeeze.weight.shape == (3, 12, 1, 1)
    hidden = squeeze(x.mean((2, 3), keepdim=True)).relu()
    torch.testing.assert_close(layer(spatial, context), x + x * excite(hidden).sigmoid())


def test_fusion_of_other_codes():
    """If it fails, the reduction and the biases that other codes have cannot be chosen."""
    net = BiSeNet(18, fusion_reduction=1, fusion_bias=False)
    squeeze, excite = net.fusion.squeeze.conv.conv, net.fusion.excite.conv
    assert squeeze.weight.shape == excite.weight.shape == (256, 256, 1, 1)
    assert squeeze.bias is None and excite.bias is None
    for wrong in (0, 257, 'x'):
        with pytest.raises(InvalidInputError, match='BiSeNet fusion_reduction is '):
            BiSeNet(18, fusion_reduction=wrong)


def test_attention_of_the_fusion_has_no_norm():
    """If it fails, the attention gained BatchNorm (mmseg's deviation: it is then >= 0.5)."""
    layer = FeatureFusion(8, 12, dict(type='BN'))
    assert not layer.squeeze.conv.with_norm
    assert not layer.excite.with_norm


def test_refinement_is_the_map_times_its_attention():
    """If it fails, the channels are not weighed by a factor between 0 and 1."""
    layer = AttentionRefinement(6, 64, dict(type='BN')).eval()
    x = torch.randn(2, 6, 5, 3)
    smoothed, out = layer.conv(x), layer(x)
    pooled = smoothed.mean((2, 3), keepdim=True)
    logits = torch.einsum('oi,nixy->noxy', layer.attention.conv.conv.weight[:, :, 0, 0], pooled)
    attention = (logits / (1 + 1e-5) ** 0.5).sigmoid()
    assert 0 < attention.min() < 0.5 < attention.max() < 1  # no ReLU in front of the sigmoid
    torch.testing.assert_close(out, smoothed * attention)


NORM, RELU = dict(type='BN'), dict(type='ReLU')


def test_pooled_convolution_by_hand():
    """If it fails, the channels are not weighed by the mean of the whole map."""
    layer = PooledConv(2, 1, None, None)
    nn.init.constant_(layer.conv.conv.weight, 2.0)
    nn.init.constant_(layer.conv.conv.bias, 1.0)
    x = torch.tensor([[[[1.0, 3.0]], [[5.0, 7.0]]]])
    assert layer(x).flatten().tolist() == [2 * 2 + 2 * 6 + 1]


@pytest.mark.parametrize('act', [RELU, dict(type='Sigmoid'), None])
def test_batch_of_one_uses_the_running_statistics(act):
    """If it fails, the last short batch of a small step stops the training."""
    layer = PooledConv(4, 8, NORM, act)
    norm = layer.conv.norm
    nn.init.normal_(norm.running_mean)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    x = torch.randn(1, 4, 3, 3)
    mean, count = norm.running_mean.clone(), norm.num_batches_tracked.clone()
    in_training = layer(x)
    assert torch.equal(norm.running_mean, mean)
    assert norm.num_batches_tracked == count
    torch.testing.assert_close(in_training, layer.eval()(x))
    layer.train()(x).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in layer.parameters())


def test_larger_batches_use_their_own_statistics():
    """If it fails, the norm's running statistics are never learned."""
    layer = PooledConv(4, 8, NORM, None)
    out = layer(torch.randn(16, 4, 3, 3))
    assert out.mean((0, 2, 3)).abs().max() < 1e-6
    assert layer.conv.norm.num_batches_tracked == 1


@pytest.mark.parametrize(('norm', 'batch'), [(None, 1), (dict(type='GN', num_groups=2), 1)])
def test_other_norms(norm, batch):
    """If it fails, only BatchNorm can train with a batch of one."""
    layer = PooledConv(4, 8, norm, RELU)
    assert layer(torch.randn(batch, 4, 3, 3)).shape == (batch, 8, 1, 1)
