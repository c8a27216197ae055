"""A class in every image of its step: SEAM learns it with negatives, and nothing without."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from incseg.datasets import BackgroundCrops, ShapesDataset, WeakDataset
from incseg.engine import Experiment, train_seam
from incseg.engine.checkpoint import save_checkpoint
from incseg.engine.weak import seam_store, seam_training
from incseg.engine.weak.seam_store import load_seam
from incseg.errors import InvalidInputError
from incseg.protocols import Protocol
from tests.test_engine.test_weak.conftest import KnowsTheMasks

PIPELINE = [dict(type='LoadImage'), dict(type='PackSegInputs')]


@pytest.fixture
def train(tiny_seam, perfect_old_network, monkeypatch, tmp_path):
    """Train SEAM of step 1 of 4-1 after a base step that learned its classes perfectly; returns
    the network."""
    monkeypatch.setattr(seam_store, 'weights_fingerprint', lambda path: 'perfect')

    def run(epochs, negatives=None):
        experiment = Experiment(
            tiny_seam(
                **{
                    'seam.scope': 'step',
                    'protocol.name': '4-1',
                    'seam.negatives': negatives,
                    'data.train.length': 80,
                    'seam.schedule.epochs': epochs,
                    'seam.schedule.checkpoint_interval': 1000,
                }
            )
        )
        return load_seam(
            experiment, train_seam(experiment, 1, tmp_path / 'w', previous='final.pth')
        )[0]

    return run


@pytest.fixture
def held_out():
    """``held_out(model)``: cross-entropy of the class, and how often a picture with it has a
    higher score than one without.  Pictures without are crops of old shapes."""
    protocol = Protocol.parse('4-1', 6)
    data = WeakDataset(
        ShapesDataset(length=60, size=32, split='val'),
        protocol,
        1,
        PIPELINE,
        scope='step',
        negatives=BackgroundCrops(),
    )
    data.apply_old_network(KnowsTheMasks(SimpleNamespace(protocol=protocol), 1, None))
    inputs = torch.stack([data[i]['inputs'] for i in range(len(data))])
    shown = torch.from_numpy(data.image_labels[:, 0])

    def evaluate(model):
        cam, _ = model.cams(model.data_preprocessor(dict(inputs=inputs))['inputs'])
        score = cam[:, 1].mean((1, 2))
        entropy = F.binary_cross_entropy_with_logits(score, shown).item()
        return entropy, (score[shown == 1][:, None] > score[shown == 0]).float().mean().item()

    return evaluate


def test_without_a_remedy(train, held_out, monkeypatch):
    """If it fails, such a step could be learned, and is refused without need: its loss falls to 0,
    and every image is said to show the class."""
    monkeypatch.setattr(WeakDataset, '_check', lambda self: None)
    entropy, _ = held_out(train(4))
    assert entropy > 2


@pytest.mark.parametrize('kind', ['BackgroundCrops', 'OldModelLabels'])
def test_with_a_remedy(kind, train, held_out):
    """If it fails, the class is not distinguished from old ones in images that were not trained
    on."""
    entropy, separated = held_out(train(4, dict(type=kind)))
    assert entropy < 0.6 and separated > 0.8


def test_steps_of_one_class(tiny_seam, step_0, perfect_old_network, tmp_path, monkeypatch):
    """If it fails, a step of one class cannot be trained through the previous network, maps of old
    classes count as the step's, or a finished network is used for another previous network."""

    def experiment(**negatives):
        return Experiment(
            tiny_seam(
                **{
                    'seam.scope': 'step',
                    'protocol.name': '4-1',
                    'seam.negatives': negatives or None,
                }
            )
        )

    with pytest.raises(InvalidInputError, match='each of the .* images shows cross'):
        train_seam(experiment(), 1, tmp_path / 'none', previous=step_0)
    labels = experiment(type='OldModelLabels', sizes=[0.25])
    with pytest.raises(InvalidInputError, match="'OldModelLabels'.* network of step 0: name its"):
        train_seam(labels, 1, tmp_path / 'labels')
    path = train_seam(labels, 1, tmp_path / 'labels', previous=step_0)
    model, meta = load_seam(labels, path)
    assert meta['ids'] == [5, 1, 2, 3, 4] and meta['helpers'] == [1, 2, 3, 4]
    assert model.num_classes == 5
    crops = experiment(type='BackgroundCrops', sizes=[0.25])
    plain = load_seam(crops, train_seam(crops, 1, tmp_path / 'crops', previous=step_0))[1]
    assert plain['ids'] == [5] and plain['helpers'] == [] and plain['images'] == meta['images']
    monkeypatch.setattr(seam_training, 'OldNetwork', None)
    assert train_seam(labels, 1, tmp_path / 'labels', True, previous=step_0) == path
    content = torch.load(step_0, weights_only=True)
    next(iter(content['state_dict'].values())).add_(1.0)
    save_checkpoint(content, tmp_path / 'other.pth', 'step')
    with pytest.raises(InvalidInputError, match='started with network of the step before = '):
        train_seam(labels, 1, tmp_path / 'labels', True, previous=tmp_path / 'other.pth')


def test_the_previous_network_is_sure_of_nothing(tiny_seam, step_0, tmp_path):
    """If it fails, SEAM is trained although the previous network, after four iterations, knows no
    class."""
    experiment = Experiment(
        tiny_seam(
            **{
                'seam.scope': 'step',
                'protocol.name': '4-1',
                'seam.negatives': dict(type='BackgroundCrops', confidence=1.0),
            }
        )
    )
    with pytest.raises(InvalidInputError, match='in none of the .* images is the network'):
        train_seam(experiment, 1, tmp_path / 'w', previous=step_0)
    assert [path.name for path in (tmp_path / 'w').iterdir()] == ['.lock']
