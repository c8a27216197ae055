"""The layout that suits a processor, and gradients that are computed in another one."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from incseg.errors import InvalidInputError
from incseg.models import convolutions
from incseg.models.convolutions import Conv2d, lay_out


@pytest.fixture
def avx2(monkeypatch):
    """Compute as on a processor with AVX2 alone, small convolutions too."""
    monkeypatch.setattr(convolutions, 'only_avx2', lambda: True)
    monkeypatch.setattr(convolutions, 'LARGE', 1)


def gradients(net, x):
    """Output, the input's gradient and those of all parameters."""
    x = x.clone().requires_grad_()
    net.zero_grad()
    y = net(x)
    (y * torch.linspace(-1, 1, y.numel()).view(y.shape)).sum().backward()
    return [y, x.grad, *(parameter.grad for parameter in net.parameters())]


@pytest.mark.parametrize('channels_last', [True, False])
@pytest.mark.parametrize(
    'options',
    [
        dict(stride=2, padding=1),
        dict(padding=2, dilation=2),
        dict(stride=(1, 2), padding=(0, 1), bias=False),
    ],
)
def test_gradients_are_torchs(avx2, channels_last, options):
    """If it fails, a training on a processor without AVX-512 follows wrong gradients."""
    torch.manual_seed(0)
    plain = nn.Conv2d(6, 5, 3, **options)
    fast = nn.Sequential(deepcopy(plain))
    layout = lay_out(fast, channels_last)
    x = torch.randn(2, 6, 9, 8).contiguous(memory_format=layout)
    assert type(fast[0]) is Conv2d and fast(x).grad_fn.name() == '_ConvolutionBackward'
    found, expected = gradients(fast, x), gradients(plain, x)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
        assert one.dim() < 4 or one.is_contiguous(memory_format=layout)
    fast.requires_grad_(False)
    assert torch.equal(gradients(fast, x)[1], gradients(plain.requires_grad_(False), x)[1])


def test_elsewhere_it_is_torchs_own(monkeypatch, avx2):
    """If it fails, numbers change where nothing is gained."""
    net = nn.Sequential(nn.Conv2d(3, 4, 3))
    lay_out(net, True)
    x = torch.randn(1, 3, 8, 8)
    with torch.autocast('cpu', torch.bfloat16):
        assert net(x).grad_fn.name() != '_ConvolutionBackward'
    assert net.double()(x.double()).grad_fn.name() != '_ConvolutionBackward'
    net.float()
    with torch.no_grad():
        assert net(x).grad_fn is None
    monkeypatch.setattr(convolutions, 'LARGE', 10**6)
    assert net(x).grad_fn.name() != '_ConvolutionBackward'
    monkeypatch.setattr(convolutions, 'LARGE', 1)
    monkeypatch.setattr(convolutions, 'only_avx2', lambda: False)
    assert net(x).grad_fn.name() != '_ConvolutionBackward'


@pytest.mark.parametrize('gpu, alone, expected', [(0, 1, False), (0, 0, True), (1, 1, True)])
@pytest.mark.parametrize('asked', [None, 'auto', True, False])
def test_the_layout_that_suits(gpu, alone, expected, asked, monkeypatch):
    """If it fails, a processor gets the slower layout, or not the one that the user asked for."""
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: bool(gpu))
    monkeypatch.setattr(convolutions, 'only_avx2', lambda: bool(alone))
    layout = lay_out(nn.Sequential(nn.Conv2d(3, 4, 3)), asked)
    wanted = asked if isinstance(asked, bool) else expected
    assert layout == (torch.channels_last if wanted else torch.contiguous_format)


@pytest.mark.parametrize(
    'groups, expected',
    [([8, 1], True), ([1, 8, 8], True), ([1, 1, 8], False), ([2, 2], False), ([], False)],
)
def test_depthwise_networks_are_channels_last_on_every_processor(groups, expected, monkeypatch):
    """If it fails, EfficientNet-Lite trains 1.2 times as slow with AVX2 alone."""
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setattr(convolutions, 'only_avx2', lambda: True)
    net = nn.Sequential(nn.Conv2d(8, 8, 1), *(nn.Conv2d(8, 8, 3, groups=g) for g in groups))
    assert (lay_out(net, None) == torch.channels_last) is expected


def test_other_classes_stay():
    """If it fails, a convolution of the user's own class computes something else."""

    class Mine(nn.Conv2d):
        pass

    net = nn.Sequential(Mine(2, 2, 1), nn.Conv2d(2, 2, 1))
    names = list(net.state_dict())
    lay_out(net, False)
    assert [type(module) for module in net] == [Mine, Conv2d] and list(net.state_dict()) == names
    with pytest.raises(InvalidInputError, match='channels_last is 1, expected None, True, False'):
        lay_out(net, 1)
