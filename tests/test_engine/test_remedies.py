"""A class in every image of its step: what is learned of it without a remedy, and with one."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from incseg.datasets import BackgroundCrops, ShapesDataset, WeakDataset
from incseg.engine import Experiment, train_seam
from incseg.engine.weak import seam_store, seam_training
from incseg.engine.weak.seam_store import load_seam
from incseg.protocols import Protocol
from tests.test_engine.test_weak.conftest import KnowsTheMasks

PIPELINE = [dict(type='LoadImage'), dict(type='PackSegInputs')]


@pytest.fixture
def train(tiny_seam, monkeypatch, tmp_path):
    """Train SEAM of step 1 of 4-1 after a base step that learned its classes perfectly; returns
    the network."""
    monkeypatch.setattr(seam_training, 'OldNetwork', KnowsTheMasks)
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
    """Why the step is refused: the loss falls to 0, and every picture is said to show the class."""
    monkeypatch.setattr(WeakDataset, '_check', lambda self: None)
    entropy, _ = held_out(train(4))
    assert entropy > 2


@pytest.mark.parametrize('kind', ['BackgroundCrops', 'OldModelLabels'])
def test_with_a_remedy(kind, train, held_out):
    """The class is told from old ones in pictures that were not trained on."""
    entropy, separated = held_out(train(4, dict(type=kind)))
    assert entropy < 0.6 and separated > 0.8
