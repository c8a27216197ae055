from types import SimpleNamespace

import pytest
import torch

from incseg.engine import Experiment
from incseg.engine.checkpoint import save_atomically
from incseg.engine.hooks import StartBackboneHook
from incseg.engine.hooks.start import load_backbone
from incseg.errors import InvalidInputError, MissingFileError
from incseg.models import EncoderDecoder, ResNet


@pytest.fixture
def save(tiny, tmp_path):
    """Writes a step's checkpoint of a network."""

    def write(network):
        experiment = Experiment(tiny())
        meta = dict(
            incseg_version='0',
            method='mib',
            protocol=experiment.describe_protocol(),
            step=0,
            classes=experiment.classes_at(0),
            palette=[],
        )
        save_atomically(dict(state_dict=network.state_dict(), meta=meta), tmp_path / 'final.pth')
        return str(tmp_path / 'final.pth')

    return write


@pytest.mark.parametrize('backbone', ['BiSeNet', 'ResNet'])
def test_every_weight_is_copied(backbone, save):
    """From BiSeNet's context path, or a plain ResNet; statistics of BatchNorm too."""
    torch.manual_seed(0)
    source = EncoderDecoder(dict(type=backbone, depth=18), dict(type='FCNHead', channels=8), [5])
    resnet = source.backbone if backbone == 'ResNet' else source.backbone.context_path.resnet
    resnet.bn1.running_mean.uniform_()
    ours = ResNet(18, output_stride=8)
    hook = StartBackboneHook(save(source))
    runner = SimpleNamespace(iter=0, model=SimpleNamespace(backbone=ours))
    hook.before_train(runner)
    theirs = resnet.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in ours.state_dict().items())


def test_not_when_resuming(save):
    """A resumed training has better weights already."""
    source = EncoderDecoder(dict(type='ResNet', depth=18), dict(type='FCNHead', channels=8), [5])
    ours = ResNet(18)
    before = ours.conv1.weight.clone()
    runner = SimpleNamespace(iter=3, model=SimpleNamespace(backbone=ours))
    StartBackboneHook(save(source)).before_train(runner)
    assert torch.equal(ours.conv1.weight, before)


def test_another_depth(save, tmp_path):
    """Half a backbone is never loaded."""
    source = EncoderDecoder(dict(type='ResNet', depth=18), dict(type='FCNHead', channels=8), [5])
    with pytest.raises(InvalidInputError, match='init_from: .*has no ResNet of this depth'):
        load_backbone(ResNet(34), save(source))
    with pytest.raises(MissingFileError):
        load_backbone(ResNet(34), str(tmp_path / 'none.pth'))
