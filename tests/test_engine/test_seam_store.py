import pytest
import torch

from incseg.engine import Experiment
from incseg.engine.checkpoint import save_atomically
from incseg.engine.seam_store import labels_root, network_settings, seam_folder


@pytest.fixture
def folder(tiny_seam):
    def find(step=1, **options):
        return seam_folder(Experiment(tiny_seam(**options)), step)
    return find


def test_shared_or_not(folder):
    """One network for all steps and protocols, or one for each step; what shapes it names it."""
    assert folder(1) == folder(0) == folder(1, **{'protocol.name': '2-2'})
    step = {'seam.scope': 'step'}
    assert folder(1, **step) != folder(0, **step)
    assert folder(1, **step) != folder(1, **step, **{'protocol.name': '2-2'})
    assert len({folder(), folder(seed=1), folder(**{'seam.schedule.epochs': 2}),
                folder(**{'data.train.length': 16}), folder(**{'seam.init_from': 'step0'})}) == 5


def test_bystanders(folder):
    """What is done with the network, and how later steps are trained, does not name it."""
    assert folder() == folder(epochs=7, **{
        'seam.inference.flip': False, 'method.distillation.logits.loss_weight': 3.})


def test_step_0_matters_where_the_backbone_starts_there(folder):
    """Two base steps are two starts."""
    start = {'seam.init_from': 'step0'}
    assert folder(**start) != folder(**start, **{'schedule.lr.base': 1.})
    assert folder() == folder(**{'schedule.lr.base': 1.})


def test_the_network_before_matters_to_those_who_look_through_it(tiny_seam, tmp_path):
    """Another one finds other old classes; a folder of negatives is the same for all."""
    paths = []
    for value in (1., 2.):
        paths.append(tmp_path / f'{value}.pth')
        save_atomically(dict(
            state_dict={'a': torch.tensor([value])}, meta=dict(
                incseg_version='1', method='ft', protocol={}, step=0, classes=[], palette=[])),
            paths[-1])

    def folders(**negatives):
        experiment = Experiment(tiny_seam(**{'seam.scope': 'step', 'seam.negatives': negatives}))
        return {seam_folder(experiment, 1, path) for path in (None, *paths)}
    assert len(folders(type='OldModelLabels')) == 3
    assert len(folders(type='NegativeFolder', folder='x')) == 1


def test_settings_are_plain(tiny_seam):
    """They are compared with those of an interrupted training, without the machine's paths."""
    settings = network_settings(Experiment(tiny_seam()), 1)
    assert settings['seam.scope'] == 'all' and 'data_root' not in settings['data.train']
    assert 'step' not in settings


def test_labels_lie_below_their_network(tiny_seam):
    """So a network and all labels by it can be deleted together."""
    experiment = Experiment(tiny_seam())
    root = labels_root(experiment, 1)
    assert root.parent == seam_folder(experiment, 1) and root.name.startswith('labels_')
    refined = Experiment(tiny_seam(**{'seam.refine': dict(type='PAMR')}))
    assert labels_root(refined, 1) != root
