"""The ResNet: its stages, its norm layers and its ImageNet weights, with and without a network."""

import pickle
from urllib.error import URLError

import pytest
import torch
import torchvision
from torch import nn

from incseg.errors import InvalidInputError, MissingFileError
from incseg.models import ResNet

FILE = 'resnet18-f37072fd.pth'  # torchvision's name of the ResNet-18 weights


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty weight cache, and no network."""

    def download(url, *args, **kwargs):
        raise URLError('no network in this test')

    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setattr(torch.hub, 'download_url_to_file', download)
    folder = tmp_path / 'hub' / 'checkpoints'
    folder.mkdir(parents=True)
    return folder


def imagenet_state() -> dict:
    """What torchvision's file holds: every weight, the classifier, no batch counters."""
    torch.manual_seed(5)
    state = torchvision.models.resnet18(weights=None).state_dict()
    return {
        name: torch.rand_like(value)
        for name, value in state.items()
        if not name.endswith('num_batches_tracked')
    }


def test_stages_are_torchvisions():
    """If it fails, ImageNet weights land in a network of another shape or order."""
    torch.manual_seed(0)
    ours, theirs = ResNet(18).eval(), torchvision.models.resnet18(weights=None).eval()
    result = theirs.load_state_dict(ours.state_dict(), strict=False)
    assert result.missing_keys == ['fc.weight', 'fc.bias']
    x = torch.randn(1, 3, 64, 96)
    maps = ours(x)
    y = theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(x))))
    for index, out in enumerate(maps):
        y = getattr(theirs, f'layer{index + 1}')(y)
        assert torch.equal(out, y)


@pytest.mark.parametrize('depth', [18, 34, 50, 101])
def test_out_channels_and_strides(depth):
    """If it fails, heads and paths are built for channels that the stages do not have."""
    with torch.device('meta'):
        net = ResNet(depth)
        maps = net(torch.empty(1, 3, 64, 96))
    assert [tuple(m.shape) for m in maps] == [
        (1, c, 64 // s, 96 // s) for c, s in zip(net.out_channels, net.strides)
    ]


@pytest.mark.parametrize('depth', [0, 19, 152, '18'])
def test_wrong_depth(depth):
    """If it fails, an unknown depth ends in a riddle instead of the allowed ones."""
    with pytest.raises(InvalidInputError, match=r'depth is .*expected 18, 34, 50 or 101'):
        ResNet(depth)


@pytest.mark.parametrize('depth', [18, 50])
@pytest.mark.parametrize('output_stride', [16, 8, 4])
def test_dilation_sees_what_stride_saw(depth, output_stride):
    """Every second (fourth, eighth) pixel is exactly that of the strided network.

    If it fails, ImageNet weights read other neighbours than they learnt from.
    """
    torch.manual_seed(0)
    strided = ResNet(depth).double().eval()
    dilated = ResNet(depth, output_stride=output_stride).double().eval()
    dilated.load_state_dict(strided.state_dict())
    x = torch.randn(1, 3, 75, 96, dtype=torch.float64)
    for coarse, fine, stride in zip(strided(x), dilated(x), dilated.strides):
        assert fine.shape[2] == -(-75 // stride) and stride <= output_stride
        step = -(-fine.shape[3] // coarse.shape[3])
        torch.testing.assert_close(fine[..., ::step, ::step], coarse, rtol=1e-9, atol=1e-9)


def test_wrong_output_stride():
    """If it fails, a stride of 12 is quietly something else."""
    with pytest.raises(InvalidInputError, match=r'output_stride is 12, expected 4, 8, 16 or 32'):
        ResNet(18, output_stride=12)


def test_three_stages():
    """If it fails, a shorter network is another one than the first stages of the whole."""
    whole, short = ResNet(18).eval(), ResNet(18, num_stages=3).eval()
    short.load_state_dict(
        {
            name: value
            for name, value in whole.state_dict().items()
            if not name.startswith('layer4.')
        }
    )
    x = torch.randn(1, 3, 64, 64)
    for ours, theirs in zip(short(x), whole(x)[:3], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    assert [stage.shape[1] for stage in short.cam_stages(x)] == [64, 128, 256]
    assert short.cam_stage_channels == (64, 128, 256)
    with pytest.raises(InvalidInputError, match='num_stages is 2, expected 3 or 4'):
        ResNet(18, num_stages=2)


def test_early_layers():
    """If it fails, fine-tuning freezes nothing, or too much."""
    net = ResNet(18)
    assert net.early_layers() == (net.conv1, net.bn1, net.layer1)


def test_norm_cfg_reaches_every_layer():
    """If it fails, SyncBN or GN configs leave plain BatchNorm behind."""
    count = sum(isinstance(m, nn.BatchNorm2d) for m in ResNet(18).modules())
    modules = list(ResNet(18, norm_cfg=dict(type='GN', num_groups=8)).modules())
    assert count == 20
    assert sum(isinstance(m, nn.GroupNorm) for m in modules) == count
    assert not any(isinstance(m, nn.BatchNorm2d) for m in modules)


def test_pretrained_weights_are_loaded(cache):
    """If it fails, `pretrained` silently trains from noise."""
    state = imagenet_state()
    torch.save(state, cache / FILE)
    net = ResNet(18, pretrained=True)
    assert not torch.equal(net.conv1.weight, state['conv1.weight'])  # not while building
    net.init_weights()
    own = net.state_dict()
    assert set(own) - set(state) == {k for k in own if k.endswith('num_batches_tracked')}
    assert all(
        torch.equal(own[name], value) for name, value in state.items() if not name.startswith('fc.')
    )


def test_old_file_format(cache):
    """If it fails, torchvision's files, written by old torch versions, are refused."""
    state = imagenet_state()
    torch.save(state, cache / FILE, _use_new_zipfile_serialization=False)
    net = ResNet(18, pretrained=True)
    net.init_weights()
    assert torch.equal(net.conv1.weight, state['conv1.weight'])


def test_pretrained_with_another_norm(cache):
    """If it fails, ImageNet weights cannot be used together with GroupNorm."""
    state = imagenet_state()
    torch.save(state, cache / FILE)
    net = ResNet(18, pretrained=True, norm_cfg=dict(type='GN', num_groups=8))
    net.init_weights()
    assert torch.equal(net.layer4[1].conv2.weight, state['layer4.1.conv2.weight'])
    assert torch.equal(net.bn1.weight, state['bn1.weight'])


def test_not_pretrained_downloads_nothing(cache):
    """If it fails, training without a network is impossible even when nothing is needed."""
    net = ResNet(18)
    before = net.conv1.weight.clone()
    net.init_weights()
    assert torch.equal(net.conv1.weight, before)


def test_no_network(cache):
    """If it fails, a machine without a network gets a traceback, not the way round."""
    with pytest.raises(MissingFileError) as error:
        ResNet(18, pretrained=True).init_weights()
    message = str(error.value)
    assert '\n' not in message
    for part in (
        'ResNet18_Weights.IMAGENET1K_V1',
        'https://',
        'no network in this test',
        str(cache),
        'pretrained=False',
    ):
        assert part in message


class Evil:
    """Unpickled, it would run code."""

    def __reduce__(self):
        return pytest.fail, ('the file in the cache ran code',)


@pytest.mark.parametrize('content', ['cut', 'empty', 'pickle'])
def test_unusable_file_in_the_cache(cache, content):
    """If it fails, a broken download is a riddle, or a planted file runs code."""
    path = cache / FILE
    torch.save(imagenet_state(), path)
    whole = path.read_bytes()
    path.write_bytes(
        {'cut': whole[: len(whole) // 2], 'empty': b'', 'pickle': pickle.dumps(Evil(), protocol=2)}[
            content
        ]
    )
    with pytest.raises(MissingFileError, match='pretrained=False') as error:
        ResNet(18, pretrained=True).init_weights()
    assert '\n' not in str(error.value)


def test_weights_of_another_network(cache):
    """If it fails, layers without weights start from noise and nobody is told."""
    state = imagenet_state()
    del state['layer3.0.conv1.weight']
    torch.save(state, cache / FILE)
    with pytest.raises(InvalidInputError, match=r'layer3\.0\.conv1\.weight.*ResNet18'):
        ResNet(18, pretrained=True).init_weights()
