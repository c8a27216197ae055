"""What cannot be imported: one line says why, and nothing is written."""

import json
from types import FunctionType

import pytest
import torch

from incseg.apis.import_model import import_model
from incseg.errors import InvalidInputError, MissingFileError
from tests.common.foreign_networks import torchvision_network
from tests.common.imported import BASE, imported_toy, know_toy, toy_weights


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    know_toy(monkeypatch)


def refused(folder, content, message, network='toy', classes=BASE, name='net.pth', **options):
    """Import what is refused; a function writes the file itself."""
    path = folder / name
    content(path) if isinstance(content, FunctionType) else torch.save(content, path)
    with pytest.raises((InvalidInputError, MissingFileError), match=message) as caught:
        import_model(path, network, folder / 'out', classes, **options)
    assert '\n' not in str(caught.value) and not (folder / 'out').exists()


def without(name):
    return {key: value for key, value in toy_weights().items() if name not in key}


@pytest.mark.parametrize(
    ('network', 'message'),
    [
        ('deeplabv3_resnet5', "did you mean 'deeplabv3_resnet50'\\?$"),
        ('lraspp_mobilenet', "mean 'lraspp_mobilenet_v3_large' or 'lraspp_mobilenetv3'\\?$"),
        ('LRASPP', "mean 'lraspp_mobilenet_v3_large' or 'lraspp_mobilenetv3'\\?$"),
        ('deeplabv3plus', "mean 'smp_deeplabv3plus_resnet18', 'smp_deeplabv3plus_"),
        ('', '[^?]$'),
        ('bisenet_r19', "expected one of deeplabv3_resnet50.*did you mean 'bisenet_r18'"),
    ],
)
def test_unknown_network(tmp_path, network, message):
    refused(tmp_path, toy_weights(), message, network)


def test_tensors_beside_the_network(tmp_path):
    """If it fails, a checkpoint of Lightning with a weighted loss cannot be imported."""
    state = {f'model.{name}': value for name, value in toy_weights().items()}
    torch.save({'state_dict': {**state, 'criterion.weight': torch.ones(3)}}, tmp_path / 'net.ckpt')
    path, notes = import_model(tmp_path / 'net.ckpt', 'toy', tmp_path / 'out', BASE)
    assert 'left out criterion.weight' in notes and path.is_file()


def test_names_in_the_message_are_those_of_the_file(tmp_path):
    """If it fails, the message names tensors that the user's file does not have."""
    state = {'backbone.conv1.weight': torch.ones(1), 'neck.x': torch.ones(1)}
    network = 'deeplabv3_resnet50'
    refused(tmp_path, state, r'begin with backbone.conv1.weight, neck.x\)', network)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda s: without('conv.conv'), r'1 missing.*missing: decode_head.conv.conv.weight$'),
        (lambda s: {**s, 'neck.x': torch.ones(2)}, r'1 left over\); left over: neck.x$'),
        (
            lambda s: {**s, 'decode_head.conv.conv.weight': torch.ones(8, 8, 1, 1)},
            r'decode_head.conv.conv.weight is \[8, 8, 1, 1\], not \[8, 8, 3, 3\]',
        ),
        (
            lambda s: {**s, **{f'x{i}': torch.ones(1) for i in range(9)}},
            r'9 left over\); left over: x0, x1, x2, x3, x4 and 4 more$',
        ),
        (lambda s: without('classifier'), 'no classifier of toy.*see --network and --key-map'),
        (
            lambda s: {**s, 'decode_head.conv.bn.weight': torch.full((8,), float('nan'))},
            'decode_head.conv.bn.weight is not finite',
        ),
    ],
)
def test_tensors_that_do_not_fit(tmp_path, change, message):
    """If it fails, a network predicts with weights that were never loaded."""
    refused(tmp_path, change(toy_weights()), message)


@pytest.mark.parametrize(
    ('make', 'network', 'message'),
    [
        (toy_weights, 'bisenet_r18', r'left over: .*; it fits --network toy$'),
        (
            lambda: torchvision_network('lraspp_mobilenet_v3_large', 5).state_dict(),
            'deeplabv3_resnet50',
            r'no classifier of deeplabv3_resnet50 .*; it fits --network lraspp_mobilenet_v3_large$',
        ),
    ],
)
def test_the_file_of_another_network(tmp_path, make, network, message):
    """If it fails, a user with the right file and the wrong name has to guess the name."""
    refused(tmp_path, make(), message, network)


@pytest.mark.parametrize(
    ('classes', 'background', 'message'),
    [
        (BASE[:4], True, 'names 4 classes, but the network has 5 outputs$'),
        ([*BASE, 'x'], True, 'names 6 classes, but the network has 5 outputs; .*--no-background'),
        (BASE[1:], False, 'has 5 outputs; is one of the outputs the background'),
        (BASE, False, "names 'background', expected classes alone with --no-background"),
        (list('abcde'), True, "names no background .first 'a'.*'background', or --no-background"),
        (['background', 'a', 'a', 'b', 'c'], True, "names 'a' twice"),
    ],
)
def test_classes_that_do_not_fit(tmp_path, classes, background, message):
    """If it fails, outputs get the names of other classes."""
    refused(tmp_path, toy_weights(), message, classes=classes, background=background)


@pytest.mark.parametrize(
    ('text', 'message'),
    [('', 'expected a name in each line'), ('[1, 2]', 'expected a name in each'), ('["a"', 'read')],
)
def test_files_of_classes(tmp_path, text, message):
    (tmp_path / 'names').write_text(text)
    refused(tmp_path, toy_weights(), message, classes=tmp_path / 'names')


def test_no_classes(tmp_path):
    refused(tmp_path, toy_weights(), 'does not name its classes, expected --classes', classes=None)


@pytest.mark.parametrize(
    ('content', 'name', 'message'),
    [
        (torch.nn.Conv2d(2, 2, 1), 'net.pth', 'whole pickled network.*state_dict'),
        (b'x', 'net.onnx', 'an ONNX graph, expected a state dict'),
        (dict(epoch=3), 'net.pth', 'holds no state dict'),
        ([1], 'net.pth', 'holds no state dict'),
        (b'damaged', 'net.pth', 'damaged, cut short or no checkpoint'),
        (b'damaged', 'net.safetensors', 'no file of safetensors|needs safetensors'),
    ],
)
def test_files_that_are_no_weights(tmp_path, content, name, message):
    """If it fails, a file runs code, or its reader meets a traceback."""
    made = (lambda path: path.write_bytes(content)) if isinstance(content, bytes) else content
    refused(tmp_path, made, message, name=name)


def test_torchscript(tmp_path):
    module = torch.jit.trace(torch.nn.Conv2d(2, 2, 1), torch.ones(1, 2, 3, 3))
    refused(tmp_path, lambda path: module.save(str(path)), 'a network of TorchScript, expected')


def test_missing_file(tmp_path):
    with pytest.raises(MissingFileError, match='no checkpoint at gone.pth'):
        import_model('gone.pth', 'toy', tmp_path / 'out', BASE)


def test_a_checkpoint_of_the_library(tmp_path):
    """If it fails, a network goes through a second import instead of --start."""
    file = imported_toy(tmp_path)
    with pytest.raises(InvalidInputError, match='checkpoint of incseg already: .*--start'):
        import_model(file, 'toy', tmp_path / 'out', BASE)


def test_an_earlier_file_stays(tmp_path):
    file = imported_toy(tmp_path)
    with pytest.raises(InvalidInputError, match='exists already'):
        imported_toy(tmp_path)
    assert imported_toy(tmp_path, force=True) == file


@pytest.mark.parametrize(
    ('scaling', 'message'),
    [
        (dict(std=(0.229, 0.224, 0.225)), '--std is .*from 0 to 255, as 58.395 57.12 57.375$'),
        (dict(mean=(0.485, 0.456, 0.406)), '--mean is .*from 0 to 255, as 123.675 116.28 103.53$'),
        (dict(mean=(0.5, 0, 0), std=(58, 57, 57)), '--mean is .*pixels from 0 to 255'),
    ],
)
def test_scaling_of_pixels_from_0_to_1(tmp_path, scaling, message):
    """If it fails, the network sees other pixels than it was trained on."""
    refused(tmp_path, toy_weights(), message, **scaling)


def test_scaling_that_changes_nothing(tmp_path):
    """If it fails, a network of unscaled pixels cannot be imported."""
    assert imported_toy(tmp_path, mean=(0, 0, 0), std=(1, 1, 1)).is_file()


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('[]', 'expected {"names"'),
        ('{', 'cannot be read'),
        ({'prefix': {}}, "did you mean 'prefixes'"),
        ({'names': {'a': 1}}, 'names is .* expected an object of old and new text'),
        ({'drop': 'x'}, 'drop is .* expected a list'),
        ({'patterns': {'(': 'x'}}, "the pattern '\\(' .* is no regular expression"),
        ({'patterns': {'a': '\\1'}}, 'is no regular expression'),
        ({'names': {'gone': 'x'}}, "the file has no tensor 'gone'"),
        ({'patterns': {r'.*': 'x'}}, "both become 'x'"),
    ],
)
def test_key_maps(tmp_path, content, message):
    (tmp_path / 'map.json').write_text(content if isinstance(content, str) else json.dumps(content))
    refused(tmp_path, toy_weights(), message, key_map=tmp_path / 'map.json')
