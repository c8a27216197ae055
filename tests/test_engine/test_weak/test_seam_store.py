import os

import pytest
import torch
from PIL import Image

from incseg.engine import Experiment
from incseg.engine.checkpoint import save_atomically
from incseg.engine.weak.seam_store import labels_root, network_settings, seam_folder


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
    assert (
        len(
            {
                folder(),
                folder(seed=1),
                folder(**{'seam.schedule.epochs': 2}),
                folder(**{'data.train.length': 16}),
                folder(**{'seam.init_from': 'step0'}),
            }
        )
        == 5
    )


def test_bystanders(folder):
    """What is done with the network, and how later steps are trained, does not name it."""
    assert folder() == folder(
        epochs=7, **{'seam.inference.flip': False, 'method.distillation.logits.loss_weight': 3.0}
    )


def test_step_0_matters_where_the_backbone_starts_there(folder):
    """Two base steps are two starts."""
    start = {'seam.init_from': 'step0'}
    assert folder(**start) != folder(**start, **{'schedule.lr.base': 1.0})
    assert folder() == folder(**{'schedule.lr.base': 1.0})


def test_the_network_before_matters_to_those_who_look_through_it(tiny_seam, tmp_path):
    """Another one finds other old classes; a folder of negatives is the same for all."""
    paths = []
    for value in (1.0, 2.0):
        paths.append(tmp_path / f'{value}.pth')
        save_atomically(
            dict(
                state_dict={'a': torch.tensor([value])},
                meta=dict(
                    incseg_version='1', method='ft', protocol={}, step=0, classes=[], palette=[]
                ),
            ),
            paths[-1],
        )

    def folders(**negatives):
        experiment = Experiment(tiny_seam(**{'seam.scope': 'step', 'seam.negatives': negatives}))
        return {seam_folder(experiment, 1, path) for path in (None, *paths)}

    assert len(folders(type='OldModelLabels')) == 3
    Image.new('RGB', (8, 8)).save(tmp_path / 'a.png')
    assert len(folders(type='NegativeFolder', folder=str(tmp_path))) == 1


def test_negatives_matter(folder, tmp_path):
    """Another picture of the same name and size is another one; another time of day is seen too."""
    Image.new('RGB', (8, 8)).save(tmp_path / 'a.png')
    negatives = {'seam.negatives': dict(type='NegativeFolder', folder=str(tmp_path))}
    first = folder(**negatives)
    assert folder(**negatives) == first
    os.utime(tmp_path / 'a.png', ns=(1, 1))
    second = folder(**negatives)
    Image.new('RGB', (9, 9)).save(tmp_path / 'b.png')
    assert len({first, second, folder(**negatives)}) == 3


def test_the_start_counts_by_its_content(folder, tmp_path):
    """Weights that were replaced under the same name start another network; those that are not
    read, and step 0's, which the config describes, do not count."""
    path = tmp_path / 'start.pth'

    def places(**options):
        found = []
        for content in (b'one', b'two'):
            path.write_bytes(content)
            found.append(folder(**options))
        return len(set(found))

    assert places(**{'seam.init_from': str(path)}) == 2
    weights = {
        'seam.model.backbone': dict(
            type='ResNet38d', pretrained='$pretrained', weights=str(path), width=2
        )
    }
    assert places(**weights) == 1, 'without ImageNet they are not read'
    assert places(pretrained=True, **weights) == 2
    assert places(pretrained=True, **weights, **{'seam.init_from': 'step0'}) == 1


def test_steps_of_joint_training_are_those_of_its_protocol(tiny_seam):
    """Step 1 of 4-2 and of 2-2 learn other classes, also where all are trained together."""

    def place(name, joint):
        config = tiny_seam(**{'protocol.name': name, 'seam.scope': 'step'})
        config.method.joint = joint
        return seam_folder(Experiment(config), 1)

    assert place('4-2', True) != place('2-2', True)
    assert place('4-2', True) == place('4-2', False), 'the same network'


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


def test_speed_is_no_matter_of_the_labels(tiny_seam):
    """How many threads made them, and a default that is spelt out, do not make them anew; what
    they round does."""

    def root(**options):
        return labels_root(Experiment(tiny_seam(**options)), 1)

    plain = root()
    assert root(**{'seam.inference.num_threads': 1, 'seam.inference.batch_size': 3}) == plain
    assert root(**{'seam.inference.uncertain': None}) == plain
    assert root(**{'seam.inference.flip': False}) != plain
    assert root(**{'schedule.tf32': False}) != plain


def test_what_is_only_shown_or_saved(tiny_seam):
    """How often a training logs does not make it another one; nor does a default spelt out."""

    def place(**options):
        return seam_folder(Experiment(tiny_seam(**options)), 1)

    plain = place()
    intervals = {'seam.schedule.log_interval': 7, 'seam.schedule.checkpoint_interval': 9}
    assert place(**intervals) == plain
    assert place(**{'seam.image_labels': dict(type='MaskImageLabels')}) == plain
    start = {'seam.init_from': 'step0'}
    assert place(**start, **{'schedule.log_interval': 7}) == place(**start) != plain


def test_image_labels_count_by_their_content(tiny_seam, tmp_path):
    """Labels that were corrected are another network's; train.py trains it by itself."""
    path = tmp_path / 'labels.json'
    experiment = Experiment(
        tiny_seam(**{'seam.image_labels': dict(type='JSONImageLabels', path=str(path))})
    )
    found = []
    for content in ('{}', '{"a": []}'):
        path.write_text(content)
        found.append(seam_folder(experiment, 1))
    assert found[0] != found[1]


def test_labels_belong_to_the_images_and_classes_of_the_steps(tiny_seam):
    """Disjoint steps have fewer images, another class order other classes; with a single step all
    images and classes are in it."""
    reverse = [6, 5, 4, 3, 2, 1]

    def roots(**protocol):
        found = []
        for more in (
            {},
            {'protocol.setting': 'disjoint'},
            {'protocol.class_order': reverse},
            {'protocol.class_order': [2, 1, 3, 4, 5, 6]},
        ):
            experiment = Experiment(tiny_seam(**protocol, **more))
            found.append(labels_root(experiment, 0))
            assert found[-1].parent == seam_folder(experiment, 0), 'one network for all of them'
        return found

    plain, disjoint, reversed_, within = roots()
    assert len({plain, disjoint, reversed_}) == 3 and within == plain
    assert len(set(roots(**{'protocol.name': 'offline'}))) == 1


def test_a_refinement_counts_by_its_content(tiny_seam, tmp_path):
    """Labels of an affinity network that was trained again are not those of the one before."""
    path = tmp_path / 'affinity.pth'
    net = dict(type='AffinityNet', backbone=dict(type='ResNet', depth=18, output_stride=8))
    experiment = Experiment(
        tiny_seam(**{'seam.refine': dict(type='AffinityRandomWalk', net=net, checkpoint=str(path))})
    )
    found = []
    for content in (b'one', b'two'):
        path.write_bytes(content)
        found.append(labels_root(experiment, 1))
    assert found[0] != found[1] and found[0].parent == found[1].parent


def test_what_counts_of_step_0(tiny_seam, tmp_path):
    """A file is its content; only with ``'step0'`` does it count how that network is trained."""
    path = tmp_path / 'start.pth'
    path.touch()

    def places(**options):
        return {
            seam_folder(Experiment(tiny_seam(**options, **change)), 1)
            for change in (
                {},
                {'schedule.lr.base': 1.0},
                {'data.train_pipeline.flip': None},
                {'data.void_as_background': True},
            )
        }

    assert len(places(**{'seam.init_from': str(path)})) == 1
    assert len(places(**{'seam.init_from': 'step0'})) == 4
