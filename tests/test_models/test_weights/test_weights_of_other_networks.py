"""Weights of another network that has all the tensors of ours, and more."""

import pytest
import torch
from torch import nn

from incseg.errors import InvalidInputError
from incseg.models.weights import load_fitting
from incseg.registry import MODELS

TORCHVISION = dict(type='TorchvisionBackbone', name='resnet18')
TIMM = dict(type='TimmBackbone', name='resnet18')
RESNET = dict(type='ResNet', depth=18)
CUT = dict(TIMM, name='mobilenetv3_small_050', out_indices=[1, 2])
VIT = dict(
    type='TimmBackbone',
    name='vit_tiny_patch16_224',
    options=dict(depth=4, embed_dim=12, num_heads=1),
)


def built(config):
    if config['type'] == 'TimmBackbone':
        pytest.importorskip('timm', reason='timm is not installed')
    return MODELS.build(config)


def weights(config):
    """The state dict of a backbone, by the library's names."""
    net = built(config)
    return getattr(net, 'net', net).state_dict()


def started(config, state, tmp_path):
    torch.save(state, tmp_path / 'weights.pth')
    net = built(dict(config, pretrained=str(tmp_path / 'weights.pth')))
    net.init_weights()
    return net


@pytest.mark.parametrize('config', [TORCHVISION, TIMM, RESNET], ids=lambda c: c['type'])
def test_a_deeper_network(tmp_path, config):
    """If it fails, ResNet-18 starts from half of ResNet-34 and only the log says so."""
    deeper = weights(dict(RESNET, depth=34))
    with pytest.raises(InvalidInputError) as error:
        started(config, deeper, tmp_path)
    message = str(error.value)
    assert 'it has layer1.2.conv1.weight, ' in message and '\n' not in message
    assert message.endswith('18 ends at layer1.1: of a deeper network?')


@pytest.mark.parametrize(
    ('config', 'more', 'message'),
    [
        (RESNET, 'layer2.0.se.fc1.weight', 'ResNet18 has no layer2.0.se: of another network'),
        (dict(RESNET, num_stages=3), 'layer3.2.conv1.weight', 'ends at layer3.1: of a deeper'),
        (CUT, 'blocks.1.3.conv_dw.weight', 'ends at blocks.1.1: of a deeper network'),
        (VIT, 'blocks.4.norm1.weight', 'ends at blocks.3: of a deeper network'),
        (VIT, 'blocks.0.ls1.gamma', 'has no blocks.0.ls1: of another network'),
    ],
)
def test_more_layers_in_a_list(tmp_path, config, more, message):
    """If it fails, a network with other blocks gives its weights to ours."""
    with pytest.raises(InvalidInputError, match=message):
        started(config, weights(config) | {more: torch.zeros(1)}, tmp_path)


@pytest.mark.parametrize(
    ('config', 'whole'),
    [
        (TORCHVISION, TORCHVISION),
        (TIMM, TIMM),
        (RESNET, TIMM),
        (dict(RESNET, num_stages=3), RESNET),
        (dict(RESNET, norm_cfg=dict(type='IN')), RESNET),
        (dict(TIMM, out_indices=[1, 2]), TIMM),
        (CUT, dict(TIMM, name='mobilenetv3_small_050')),
        (dict(VIT, out_indices=[0, 1]), VIT),
        (
            dict(TORCHVISION, name='mobilenet_v3_small', out_layers=[1, 3]),
            dict(TORCHVISION, name='mobilenet_v3_small'),
        ),
    ],
)
def test_the_same_network(tmp_path, config, whole):
    """If it fails, a file with a classifier, or of the network before it was cut, is refused."""
    heads = ('fc.weight', 'classifier.0.weight', 'head.fc.weight', 'conv_head.weight', 'n_averaged')
    state = weights(whole) | dict.fromkeys(heads, torch.zeros(1))
    net = started(config, state, tmp_path)
    own = getattr(net, 'net', net).state_dict()
    assert all(torch.equal(value, state[name]) for name, value in own.items() if name in state)


class Listed(nn.Module):
    def __init__(self, count):
        super().__init__()
        self.stem = nn.Linear(1, 1)
        self.layers = nn.ModuleList(nn.Sequential(nn.Linear(1, 1)) for _ in range(count))


def test_a_network_that_may_have_been_cut():
    """If it fails, a backbone of mmpretrain that builds no layer behind its last map is refused."""
    state = Listed(3).state_dict()
    left = load_fitting(Listed(2), state, 'the file', 'Listed', whole=None)
    assert left == ['layers.2.0.weight', 'layers.2.0.bias']
    wider = state | {'layers.0.1.weight': torch.zeros(1)}
    for more, whole in ((wider, None), (state, ())):
        with pytest.raises(InvalidInputError, match='of a deeper network'):
            load_fitting(Listed(2), more, 'the file', 'Listed', whole=whole)
