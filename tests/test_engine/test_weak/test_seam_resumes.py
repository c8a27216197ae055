"""An existing folder of SEAM is resumed, used or refused, and never mistaken for another one."""

import json

import pytest
import torch
from mmengine.hooks import Hook
from PIL import Image

from incseg.datasets import ShapesDataset
from incseg.engine import Experiment, train_seam
from incseg.engine.checkpoint import save_checkpoint, weights_fingerprint
from incseg.engine.weak import seam_training
from incseg.engine.weak.seam_config import seam_runner_config
from incseg.engine.weak.seam_store import read_seam_checkpoint
from incseg.errors import InvalidInputError
from incseg.evaluation.run_settings import read_settings
from incseg.registry import HOOKS


class PowerCutError(Exception):
    """Stands for a power cut."""


@HOOKS.register_module()
class SeamStopAt(Hook):
    """Interrupts the training after some iterations."""

    when = None

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if self.when == batch_idx + 1:
            raise PowerCutError


@pytest.fixture
def stoppable(monkeypatch):
    """A training that ``SeamStopAt.when`` interrupts."""

    def stopping(*args, **kwargs):
        config = seam_runner_config(*args, **kwargs)
        config.custom_hooks.append(dict(type='SeamStopAt'))
        return config

    monkeypatch.setattr(seam_training, 'seam_runner_config', stopping)
    yield
    SeamStopAt.when = None


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_interrupted_equals_uninterrupted(stoppable, tiny_seam, tmp_path):
    """If it fails, a resumed training has other batches, crops, dropout, optimiser state or rates
    than an uninterrupted one."""
    experiment = Experiment(tiny_seam(**{'seam.model.head.dropout_ratio': 0.5}))
    straight = read_seam_checkpoint(train_seam(experiment, 1, tmp_path / 'a'))['state_dict']
    SeamStopAt.when = 3
    with pytest.raises(PowerCutError):
        train_seam(experiment, 1, tmp_path / 'b', resume=True)
    saved = torch.load(tmp_path / 'b/resume.pth', weights_only=True)
    assert saved['meta']['iter'] == 2
    SeamStopAt.when = None
    resumed = read_seam_checkpoint(train_seam(experiment, 1, tmp_path / 'b', resume=True))
    assert same(straight, resumed['state_dict'])
    other = Experiment(tiny_seam(seed=7))
    assert not same(
        straight, read_seam_checkpoint(train_seam(other, 1, tmp_path / 'c'))['state_dict']
    )


def test_an_existing_folder(tiny_seam, tmp_path):
    """If it fails, a finished training is overwritten, or used for another config."""
    experiment = Experiment(tiny_seam())
    path = train_seam(experiment, 1, tmp_path)
    stamp = path.stat().st_mtime_ns
    with pytest.raises(InvalidInputError, match='seam.pth exists already: pass --resume'):
        train_seam(experiment, 1, tmp_path)
    assert train_seam(experiment, 0, tmp_path, resume=True) == path, "scope 'all' has no step"
    other = Experiment(tiny_seam(**{'seam.inference.flip': False}))
    assert train_seam(other, 1, tmp_path, resume=True) == path, 'another use of the same network'
    assert path.stat().st_mtime_ns == stamp
    with pytest.raises(InvalidInputError, match='started with seam.schedule.lr'):
        train_seam(Experiment(tiny_seam(**{'seam.schedule.lr': 0.5})), 1, tmp_path, resume=True)


def test_the_step_is_part_of_the_config(tiny_seam, tmp_path):
    """If it fails, with scope 'step' another step's network is used for this step."""
    experiment = Experiment(tiny_seam(**{'seam.scope': 'step', 'protocol.name': '2-2'}))
    train_seam(experiment, 1, tmp_path)
    with pytest.raises(InvalidInputError, match='started with step = 1, this config says 2'):
        train_seam(experiment, 2, tmp_path, resume=True)


def test_other_images_are_noticed(tiny_seam, tmp_path):
    """If it fails, a network is used for images or labels that it did not learn from."""
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
    """If it fails, a network is used although its negatives were replaced."""
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


def test_another_step_0_is_noticed(tiny_seam, step_0, tmp_path, capsys):
    """If it fails, `--step0 OTHER --resume` uses a finished SEAM without a note that it started
    from other weights."""
    other = tmp_path / 'other.pth'
    content = torch.load(step_0, weights_only=True)
    save_checkpoint(content, other, 'step')
    experiment = Experiment(tiny_seam(**{'seam.init_from': 'step0'}))
    path = train_seam(experiment, 1, tmp_path / 'w', step0=step_0)
    capsys.readouterr()
    assert train_seam(experiment, 1, tmp_path / 'w', True, step0=other) == path
    assert 'note' not in capsys.readouterr().out, 'the same weights in another file'
    content['state_dict']['backbone.context_path.resnet.conv1.weight'] += 1
    save_checkpoint(content, other, 'step')
    assert train_seam(experiment, 1, tmp_path / 'w', True, step0=other) == path
    assert f'note: {path} is used unchanged; its backbone started' in capsys.readouterr().out


def test_an_interrupted_training_from_another_step_0(tiny_seam, step_0, tmp_path, capsys):
    """If it fails, an interrupted training goes on from the weights of one start under the name of
    another."""
    other = tmp_path / 'other.pth'
    content = torch.load(step_0, weights_only=True)
    content['state_dict']['backbone.context_path.resnet.conv1.weight'] += 1
    save_checkpoint(content, other, 'step')
    experiment = Experiment(tiny_seam(**{'seam.init_from': 'step0'}))
    folder = tmp_path / 'w'
    path = train_seam(experiment, 1, folder, step0=step_0)
    assert (
        read_seam_checkpoint(path)['meta']['init_sha']
        == weights_fingerprint(step_0)
        == read_settings(folder)['start']
    )
    path.unlink()  # as if it had been interrupted
    state = dict(state_dict={}, optimizer={}, param_schedulers=[], message_hub={})
    save_checkpoint(dict(state, meta=dict(iter=1)), folder / 'resume.pth', 'resume')
    capsys.readouterr()
    resumed = read_seam_checkpoint(train_seam(experiment, 1, folder, True, step0=other))
    assert 'started from other weights than the current ones of' in capsys.readouterr().out
    assert resumed['meta']['init_sha'] == read_settings(folder)['start']
    assert resumed['meta']['init_sha'] == weights_fingerprint(other)
    afresh = read_seam_checkpoint(train_seam(experiment, 1, tmp_path / 'x', step0=other))
    name = 'backbone.conv1.weight'
    assert torch.equal(resumed['state_dict'][name], afresh['state_dict'][name])
