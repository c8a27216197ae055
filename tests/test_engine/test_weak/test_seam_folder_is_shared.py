"""Experiments share a network of SEAM and its labels where all that shapes them is equal."""

import os

import pytest
import torch
from PIL import Image

from incseg.engine import Experiment
from incseg.engine.checkpoint import save_atomically
from incseg.engine.weak.seam_store import labels_root, network_settings, seam_folder

STEP = {'seam.scope': 'step'}
START = {'seam.init_from': 'step0'}


@pytest.fixture
def folder(tiny_seam):
    """``folder(step, **options)``: the folder of SEAM at a step of a config."""

    def find(step=1, **options):
        return seam_folder(Experiment(tiny_seam(**options)), step)

    return find


@pytest.mark.parametrize(
    ('one', 'other'),
    [
        ({}, {'step': 0}),
        ({}, {'protocol.name': '2-2'}),
        ({}, {'epochs': 7}),
        ({}, {'seam.inference.flip': False}),
        ({}, {'method.distillation.logits.loss_weight': 3.0}),
        ({}, {'schedule.lr.base': 1.0}),
        ({}, {'seam.schedule.log_interval': 7, 'seam.schedule.checkpoint_interval': 9}),
        ({}, {'seam.image_labels': dict(type='MaskImageLabels')}),
        (START, {**START, 'schedule.log_interval': 7}),
    ],
)
def test_shared(one, other, folder):
    """If it fails, SEAM is trained again for a setting that does not shape it: another step or
    protocol with scope 'all', the use of the network, the training of other steps, intervals of
    messages, and defaults written out."""
    assert folder(**one) == folder(**other)


@pytest.mark.parametrize(
    'changes',
    [
        ({}, {'seed': 1}, {'seam.schedule.epochs': 2}, {'data.train.length': 16}, START),
        (STEP, {**STEP, 'step': 0}, {**STEP, 'protocol.name': '2-2'}),
        (
            START,
            {**START, 'schedule.lr.base': 1.0},
            {**START, 'data.train_pipeline.flip': None},
            {**START, 'data.void_as_background': True},
        ),
    ],
)
def test_not_shared(changes, folder):
    """If it fails, two networks that learn different things are taken for each other: by seed,
    schedule, images and start; with scope 'step' by the step and its classes; with a start from
    step 0 by what shapes that step."""
    assert len({folder(**change) for change in changes}) == len(changes)


def test_the_previous_network_matters_if_negatives_come_from_it(tiny_seam, tmp_path):
    """Another network finds other old classes; a folder of negatives is the same for all."""
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
    """If it fails, a replaced or additional negative image is not noticed."""
    Image.new('RGB', (8, 8)).save(tmp_path / 'a.png')
    negatives = {'seam.negatives': dict(type='NegativeFolder', folder=str(tmp_path))}
    first = folder(**negatives)
    assert folder(**negatives) == first
    os.utime(tmp_path / 'a.png', ns=(1, 1))
    second = folder(**negatives)
    Image.new('RGB', (9, 9)).save(tmp_path / 'b.png')
    assert len({first, second, folder(**negatives)}) == 3


def test_the_start_counts_by_its_content(folder, tmp_path):
    """If it fails, replaced weights under the same name are not noticed; weights that are not
    read, and those of step 0, which the config describes, do not count."""
    path = tmp_path / 'start.pth'

    def places(**options):
        folders = set()
        for content in (b'one', b'two'):
            path.write_bytes(content)
            folders.add(folder(**options))
        return len(folders)

    assert places(**{'seam.init_from': str(path)}) == 2
    weights = {
        'seam.model.backbone': dict(
            type='ResNet38d', pretrained='$pretrained', weights=str(path), width=2
        )
    }
    assert places(**weights) == 1, 'without ImageNet they are not read'
    assert places(pretrained=True, **weights) == 2
    assert places(pretrained=True, **weights, **START) == 1
    by_path = {'seam.init_from': str(path)}
    described = (
        {},
        {'schedule.lr.base': 1.0},
        {'data.train_pipeline.flip': None},
        {'data.void_as_background': True},
    )
    assert len({folder(**by_path, **change) for change in described}) == 1


def test_steps_of_joint_training_are_those_of_its_protocol(tiny_seam):
    """If it fails, joint training uses the network of another protocol's step."""

    def place(name, joint):
        config = tiny_seam(**{'protocol.name': name, 'seam.scope': 'step'})
        config.method.joint = joint
        return seam_folder(Experiment(config), 1)

    assert place('4-2', True) != place('2-2', True)
    assert place('4-2', True) == place('4-2', False), 'the same network'


def test_settings_are_plain(tiny_seam):
    """If it fails, an interrupted training cannot be resumed on another machine."""
    settings = network_settings(Experiment(tiny_seam()), 1)
    assert settings['seam.scope'] == 'all' and 'data_root' not in settings['data.train']
    assert 'step' not in settings


def test_labels_lie_below_their_network(tiny_seam):
    """If it fails, a network and its labels cannot be deleted together."""
    experiment = Experiment(tiny_seam())
    root = labels_root(experiment, 1)
    assert root.parent == seam_folder(experiment, 1) and root.name.startswith('labels_')
    refined = Experiment(tiny_seam(**{'seam.refine': dict(type='PAMR')}))
    assert labels_root(refined, 1) != root


def test_labels_do_not_depend_on_speed(tiny_seam):
    """If it fails, labels are made anew for another number of threads or a default that is written
    out, or are not made anew for another rounding."""

    def root(**options):
        return labels_root(Experiment(tiny_seam(**options)), 1)

    plain = root()
    assert root(**{'seam.inference.num_threads': 1, 'seam.inference.batch_size': 3}) == plain
    assert root(**{'seam.inference.uncertain': None}) == plain
    assert root(**{'seam.inference.flip': False}) != plain
    assert root(**{'schedule.tf32': False}) != plain


def test_labels_belong_to_the_images_and_classes_of_the_steps(tiny_seam):
    """If it fails, labels of other images or classes are used: disjoint steps have fewer images,
    another class order has other classes; a single step has all images and classes."""
    reverse = [6, 5, 4, 3, 2, 1]

    def label_roots(**protocol):
        roots = []
        for more in (
            {},
            {'protocol.setting': 'disjoint'},
            {'protocol.class_order': reverse},
            {'protocol.class_order': [2, 1, 3, 4, 5, 6]},
        ):
            experiment = Experiment(tiny_seam(**protocol, **more))
            roots.append(labels_root(experiment, 0))
            assert roots[-1].parent == seam_folder(experiment, 0), 'one network for all of them'
        return roots

    plain, disjoint, reversed_, within = label_roots()
    assert len({plain, disjoint, reversed_}) == 3 and within == plain
    assert len(set(label_roots(**{'protocol.name': 'offline'}))) == 1


@pytest.mark.parametrize(
    ('key', 'part', 'same_network'),
    [
        ('seam.image_labels', dict(type='JSONImageLabels', path='file'), False),
        (
            'seam.refine',
            dict(
                type='AffinityRandomWalk',
                net=dict(type='AffinityNet', backbone=dict(type='ResNet', depth=18)),
                checkpoint='file',
            ),
            True,
        ),
    ],
)
def test_files_count_by_their_content(key, part, same_network, tiny_seam, tmp_path, monkeypatch):
    """If it fails, corrected image-level labels do not reach the network, or an affinity network
    that was trained again does not reach the labels."""
    monkeypatch.chdir(tmp_path)
    experiment = Experiment(tiny_seam(**{key: part}))
    roots = []
    for content in ('{}', '{"a": []}'):
        (tmp_path / 'file').write_text(content)
        roots.append(labels_root(experiment, 1))
    assert roots[0] != roots[1]
    assert (roots[0].parent == roots[1].parent) is same_network
