"""What stands in a folder of SEAM is used, or refused, never mistaken for something else."""

import json

import pytest
import torch
from PIL import Image

from incseg.datasets import ShapesDataset
from incseg.engine import Experiment, train_protocol, train_seam
from incseg.engine.checkpoint import weights_fingerprint
from incseg.engine.weak.seam_store import read_seam_checkpoint
from incseg.errors import InvalidInputError
from incseg.evaluation.run_settings import read_settings


def test_other_images_are_noticed(tiny_seam, tmp_path):
    """A folder whose files were changed is not the one that the network learned from."""
    source = tmp_path / 'labels.json'
    config = tiny_seam(**{'seam.image_labels': dict(type='JSONImageLabels', path=str(source))})
    ids = ShapesDataset(length=32, size=32).image_ids
    network = tmp_path / 'w'
    others = ['square', 'triangle', 'ring', 'cross', 'star']
    for names in (['disc'], ['disc', 'triangle']):
        shown = {image: names if i % 2 else others[i % 3 :] for i, image in enumerate(ids)}
        source.write_text(json.dumps(shown))
        if names == ['disc']:
            train_seam(Experiment(config), 1, network)
    with pytest.raises(InvalidInputError, match='on other files, training images than'):
        train_seam(Experiment(config), 1, network, resume=True)


def test_other_negatives_are_noticed(tiny_seam, tmp_path):
    """As many pictures as before, but not the ones that the network learned from."""
    (tmp_path / 'negatives').mkdir()
    picture = tmp_path / 'negatives/a.png'
    Image.new('RGB', (32, 32)).save(picture)
    experiment = Experiment(
        tiny_seam(**{'seam.negatives': dict(type='NegativeFolder', folder=str(picture.parent))})
    )
    path = train_seam(experiment, 1, tmp_path / 'w')
    assert train_seam(experiment, 1, tmp_path / 'w', resume=True) == path
    Image.new('RGB', (32, 32), 'red').save(picture)
    with pytest.raises(InvalidInputError, match='SEAM was trained there on other negatives than'):
        train_seam(experiment, 1, tmp_path / 'w', resume=True)


def test_another_step_0_is_noticed(tiny_seam, tmp_path, capsys):
    """A finished SEAM is used, and it is said that it started from other weights; else
    `--step0 OTHER --resume` would look as if it had been heard."""
    config = tiny_seam(**{'seam.init_from': 'step0'})
    train_protocol(config, tmp_path / 'run', [0], reuse=False)
    step0, other = tmp_path / 'run/step_0/final.pth', tmp_path / 'other.pth'
    content = torch.load(step0, weights_only=True)
    torch.save(content, other)
    experiment = Experiment(config)
    path = train_seam(experiment, 1, tmp_path / 'w', step0=step0)
    capsys.readouterr()
    assert train_seam(experiment, 1, tmp_path / 'w', True, step0=other) == path
    assert 'note' not in capsys.readouterr().out, 'the same weights in another file'
    content['state_dict']['backbone.context_path.resnet.conv1.weight'] += 1
    torch.save(content, other)
    assert train_seam(experiment, 1, tmp_path / 'w', True, step0=other) == path
    assert f'note: {path} is used unchanged; its backbone started' in capsys.readouterr().out


def test_another_step_0_is_not_gone_on_with(tiny_seam, tmp_path, capsys):
    """An interrupted training that started from other weights begins anew, and says so; it would
    have the weights of one and the name of the other."""
    config = tiny_seam(**{'seam.init_from': 'step0'})
    train_protocol(config, tmp_path / 'run', [0], reuse=False)
    step0, other = tmp_path / 'run/step_0/final.pth', tmp_path / 'other.pth'
    content = torch.load(step0, weights_only=True)
    content['state_dict']['backbone.context_path.resnet.conv1.weight'] += 1
    torch.save(content, other)
    experiment, folder = Experiment(config), tmp_path / 'w'
    path = train_seam(experiment, 1, folder, step0=step0)
    assert (
        read_seam_checkpoint(path)['meta']['init_sha']
        == weights_fingerprint(step0)
        == read_settings(folder)['start']
    )
    path.rename(folder / 'resume.pth')  # as if it had been interrupted
    capsys.readouterr()
    resumed = read_seam_checkpoint(train_seam(experiment, 1, folder, True, step0=other))
    assert 'started from other weights than the current ones of' in capsys.readouterr().out
    assert resumed['meta']['init_sha'] == read_settings(folder)['start']
    assert resumed['meta']['init_sha'] == weights_fingerprint(other)
    afresh = read_seam_checkpoint(train_seam(experiment, 1, tmp_path / 'x', step0=other))
    name = 'backbone.conv1.weight'
    assert torch.equal(resumed['state_dict'][name], afresh['state_dict'][name])
