import struct
import subprocess
import sys

import numpy as np
import pytest
import torch

from incseg.errors import InvalidInputError
from incseg.models import ResNet38d
from incseg.models.backbones.resnet38d import read_resnet38_weights
from incseg.models.weights.converters.resnet38d import convert_name, convert_resnet38_params

BLOCKS = {2: 3, 3: 3, 4: 6, 5: 3, 6: 1, 7: 1}


def published_names():
    """Every weight of the published file, from the network's description."""
    names = ['arg:conv1a_weight', 'arg:linear1000_weight', 'arg:linear1000_bias']

    def norm(layer):
        return [
            f'arg:{layer}_gamma',
            f'arg:{layer}_beta',
            f'aux:{layer}_moving_mean',
            f'aux:{layer}_moving_var',
        ]

    for stage, count in BLOCKS.items():
        for block in range(count):
            at = f'{stage}a' if block == 0 else f'{stage}b{block}'
            branches = ['2a', '2b1'] + (['2b2'] if stage > 5 else [])
            if block == 0:
                names.append(f'arg:res{at}_branch1_weight')
            for branch in branches:
                names.append(f'arg:res{at}_branch{branch}_weight')
                names += norm(f'bn{at}_branch{branch}')
    return names + norm('bn7')


def write_params(path, arrays):
    """A dense float32 file of the format's second version."""
    content = struct.pack('<QQQ', 0x112, 0, len(arrays))
    for array in arrays.values():
        content += struct.pack(f'<Iii{array.ndim}q', 0xF993FAC9, 0, array.ndim, *array.shape)
        content += struct.pack('<iii', 1, 0, 0) + array.astype('<f4').tobytes()
    content += struct.pack('<Q', len(arrays))
    for name in arrays:
        content += struct.pack('<Q', len(name)) + name.encode()
    path.write_bytes(content)


def test_names_cover_the_network():
    """Every weight of ours comes from exactly one published one; only the classifier is left."""
    converted = [convert_name(name) for name in published_names()]
    with torch.device('meta'):
        own = [
            name
            for name in ResNet38d(width=1).state_dict()
            if not name.endswith('num_batches_tracked')
        ]
    assert sorted(filter(None, converted)) == sorted(own)
    assert converted.count(None) == 2


@pytest.mark.parametrize(
    ('published', 'ours'),
    [
        ('res2a_branch2a_weight', 'stage2.0.conv1.weight'),
        ('res2a_branch1_weight', 'stage2.0.shortcut.weight'),
        ('arg:res4b5_branch2b1_weight', 'stage4.5.conv2.weight'),
        ('bn5b2_branch2b1_gamma', 'stage5.2.norm2.weight'),
        ('bn6a_branch2b2_beta', 'stage6.0.norm3.bias'),
        ('aux:bn7a_branch2a_moving_var', 'stage7.0.norm1.running_var'),
        ('aux:bn7_moving_mean', 'norm.running_mean'),
        ('conv1a_weight', 'stem.weight'),
    ],
)
def test_worked_names(published, ours):
    """Gamma is the weight, beta the bias; 4b5 is the sixth block of stage 4."""
    assert convert_name(published) == ours


@pytest.mark.parametrize(
    'name',
    [
        'res2a_branch3_weight',
        'res2a_branch2a_bias',
        'bn2a_branch1_gamma',
        'conv0_weight',
        'bn7_weight',
        'res8a_branch1_weight',
    ],
)
def test_foreign_names(name):
    """A file of another network is refused, not half converted."""
    with pytest.raises(InvalidInputError, match=f"'{name}' is not the name of a weight"):
        convert_name(name)


def test_tool(tmp_path, tool_environment):
    """The published file, in small, through the command line into the network."""
    torch.manual_seed(0)
    net = ResNet38d(pretrained=True, weights=str(tmp_path / 'w/w.pth'), width=1)
    shapes = {name: value.shape for name, value in net.state_dict().items()}
    rng = np.random.default_rng(0)
    arrays = {
        name: rng.random(shapes.get(convert_name(name), (1000,))).astype(np.float32)
        for name in published_names()
    }
    write_params(tmp_path / 'a.params', arrays)
    tool = f'{tool_environment["PYTHONPATH"]}/tools/convert_resnet38_params.py'
    done = subprocess.run(
        [sys.executable, tool, tmp_path / 'a.params', tmp_path / 'w/w.pth'],
        capture_output=True,
        text=True,
        env=tool_environment,
    )
    assert done.returncode == 0 and f'{len(arrays) - 2} tensors' in done.stdout, done.stderr
    net.init_weights()
    for name, array in arrays.items():
        if convert_name(name) is not None:
            assert np.array_equal(net.state_dict()[convert_name(name)], array), name
    again = subprocess.run(
        [sys.executable, tool, tmp_path / 'w/w.pth', tmp_path / 'x.pth'],
        capture_output=True,
        text=True,
        env=tool_environment,
    )
    assert again.returncode == 1 and again.stderr.startswith('error: ')
    assert not (tmp_path / 'x.pth').exists()


def test_damaged_weights(tmp_path):
    """A cut or foreign file is one line."""
    write_params(tmp_path / 'a.params', {'conv1a_weight': np.ones((1, 3, 3, 3), np.float32)})
    assert convert_resnet38_params(tmp_path / 'a.params', tmp_path / 'w.pth') == 1
    content = (tmp_path / 'w.pth').read_bytes()
    (tmp_path / 'w.pth').write_bytes(content[:100])
    with pytest.raises(InvalidInputError, match='w.pth is damaged'):
        read_resnet38_weights(tmp_path / 'w.pth')
    torch.save([1, 2], tmp_path / 'l.pth')
    with pytest.raises(InvalidInputError, match='other things than tensors'):
        read_resnet38_weights(tmp_path / 'l.pth')
