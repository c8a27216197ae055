"""A checkpoint of SEAM is loaded if it fits the config, and refused if not."""

import pytest
import torch

from incseg.engine import Experiment
from incseg.engine.checkpoint import save_atomically
from incseg.engine.weak.seam_config import seam_model_config
from incseg.engine.weak.seam_store import load_seam, own_ids, read_seam_checkpoint
from incseg.errors import InvalidInputError
from incseg.registry import MODELS

META = dict(
    classes=['cross', 'star'],
    ids=[5, 6],
    scope='step',
    step=1,
    pretrained=False,
    init_from=None,
    seed=1,
    incseg_version='0',
    method='seam',
    palette=[[1, 2, 3]] * 2,
)


@pytest.fixture
def saved(tiny_seam, tmp_path):
    """An experiment, the network and the file it was saved in."""
    torch.manual_seed(3)
    experiment = Experiment(tiny_seam())
    model = MODELS.build(seam_model_config(experiment, 2))

    def save(**changes):
        content = dict(
            state_dict=model.state_dict(),
            meta={**META, 'protocol': experiment.describe_protocol(), **changes.pop('meta', {})},
        )
        save_atomically({**content, **changes}, tmp_path / 'seam.pth')
        return tmp_path / 'seam.pth'

    return experiment, model, save


def test_round_trip(saved):
    """If it fails, a loaded network gives other maps, is in training mode, or loses its meta."""
    experiment, model, save = saved
    loaded, meta = load_seam(experiment, save())
    x = torch.randn(1, 3, 32, 32)
    assert {key: meta[key] for key in META} == META and not loaded.training
    for ours, theirs in zip(loaded.cams(x), model.eval().cams(x)):
        assert torch.equal(ours, theirs)


def test_helper_classes(saved):
    """If it fails, maps of old classes, which only served the training, count as the step's
    classes."""
    experiment, _, save = saved
    path = save(meta=dict(ids=[5, 6], classes=['cross', 'star'], helpers=[6]))
    with pytest.raises(InvalidInputError, match='knows the classes cross, star'):
        load_seam(experiment, path)
    assert own_ids(dict(ids=[5, 1, 3], helpers=[1, 3])) == [5]
    assert own_ids(dict(ids=[5, 6])) == [5, 6], 'a file from before there were helpers'


def test_another_protocol(saved, tiny_seam):
    """If it fails, maps of other classes are written as pseudo-labels of these."""
    _, _, save = saved
    for options in ({'protocol.class_order': [6, 5, 4, 3, 2, 1]}, {'protocol.name': '5-1'}):
        with pytest.raises(InvalidInputError, match='seam.pth knows the classes cross, star'):
            load_seam(Experiment(tiny_seam(**options)), save())


def test_another_network(saved, tiny_seam):
    """If it fails, a network that does not fit is loaded, or the first wrong weight is not
    named."""
    _, _, save = saved
    other = Experiment(tiny_seam(**{'seam.model.head.affinity_channels': 7}))
    with pytest.raises(InvalidInputError, match='does not fit the network.*project_all'):
        load_seam(other, save())


def test_not_a_seam_checkpoint(saved):
    """If it fails, another file is loaded, or its first missing key is not named."""
    _, _, save = saved
    with pytest.raises(InvalidInputError, match=r'is no seam.pth: it lacks meta\.ids'):
        read_seam_checkpoint(save(meta=dict(ids=None)))
    with pytest.raises(InvalidInputError, match='lacks state_dict'):
        read_seam_checkpoint(save(state_dict=3))
