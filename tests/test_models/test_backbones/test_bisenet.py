"""BiSeNet: shapes at any size, cost, norm layers, a batch of one."""

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.flop_counter import FlopCounterMode

from incseg.errors import InvalidInputError
from incseg.models import BiSeNet, FCNHead
from incseg.models.backbones import bisenet


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
        (dict(width='medium'), r"width is 'medium', allowed: \['narrow', 'wide'\]"),
        (dict(width=None), 'width is None'),
        (dict(depth=19), r'depth is 19, allowed: \[18, 34, 50, 101\]'),
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
