"""Networks and labels are shared where they are equal, and replaced ones are noticed."""

import json

import numpy as np
import pytest
import torch

from incseg.engine import Experiment, train_protocol, train_seam
from incseg.engine.labels import step_labels
from incseg.engine.weak.seam_store import seam_folder
from incseg.errors import MissingFileError
from incseg.registry import MODELS
from tests.test_engine.test_weak.conftest import label_files


def test_a_network_trained_by_hand(weak, trained):
    """If it fails, a network trained by hand is trained a second time."""
    experiment = Experiment(weak('mib_s', epochs=1))
    path = train_seam(experiment, 1)
    assert path == seam_folder(experiment, 1) / 'seam.pth'
    step_labels(Experiment(weak('mib_s')), 1).make()
    assert trained == []


def test_another_setting(weak, trained):
    """If it fails, overlapping and disjoint steps do not share SEAM, or share labels of different
    images; joint training, whose images are equal in both, shares labels too."""
    labels = {}
    for method, step in (('mib_s', 1), ('joint_s', 0)):
        for setting in ('overlap', 'disjoint'):
            experiment = Experiment(weak(method, **{'protocol.setting': setting}))
            step_labels(experiment, step).make()
            (labels[method, setting],) = label_files(experiment, step)
    assert trained == [1], 'one network'
    counts = {key: len(list((files.folder / 'labels').iterdir())) for key, files in labels.items()}
    assert 0 < counts['mib_s', 'disjoint'] <= counts['mib_s', 'overlap'] < 32
    folders = {key: files.folder for key, files in labels.items()}
    assert folders['mib_s', 'overlap'] != folders['mib_s', 'disjoint']
    assert folders['joint_s', 'overlap'] == folders['joint_s', 'disjoint']
    assert labels['mib_s', 'disjoint'].read_meta()['protocol']['setting'] == 'disjoint'


def test_another_class_order(weak, trained):
    """If it fails, two class orders do not share SEAM, or share the labels of different steps."""
    lists = {}
    for order in ([1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1]):
        experiment = Experiment(weak('mib_s', **{'protocol.class_order': order}))
        step_labels(experiment, 1).make()
        (files,) = label_files(experiment, 1)
        assert files.read_meta()['ids'] == [1, 2, 3, 4, 5, 6]
        names = set(experiment.names(experiment.protocol.new(1)))
        listed = json.loads((files.folder / 'image_labels.json').read_text())
        assert listed and all(names & set(classes) for classes in listed.values())
        lists[files.folder] = listed
    assert trained == [1] and len(lists) == 2


def test_an_affinity_network_that_was_replaced(weak, trained, tmp_path):
    """If it fails, an affinity network that was replaced under the same path does not make new
    labels."""
    net = dict(
        type='AffinityNet',
        channels=[4, 4, 4],
        backbone=dict(type='ResNet', depth=18, output_stride=8, pretrained=False),
    )
    path = tmp_path / 'affinity.pth'
    experiment = Experiment(
        weak(
            'mib_s',
            **{
                'seam.refine': dict(
                    type='AffinityRandomWalk', net=net, checkpoint=str(path), doublings=1
                )
            },
        )
    )
    labels = []
    for seed in (0, 1, 1):
        torch.manual_seed(seed)
        torch.save(dict(state_dict=MODELS.build(net).state_dict()), path)
        step_labels(experiment, 1).make()
        labels.append(label_files(experiment, 1)[0])
    first, second, again = labels
    assert trained == [1] and first.folder != second.folder == again.folder
    assert first.read_meta()['refine_sha'] != second.read_meta()['refine_sha']
    assert list(second.read_meta()['refine_sha']) == [str(path)]


def test_labels_of_a_folder(weak, trained, tmp_path):
    """If it fails, labels in ``annotation.folder`` are made again, are not recorded, or are checked
    only after a training."""
    config = weak('mib_s')
    train_protocol(config, tmp_path / 'w')
    root = label_files(Experiment(config), 1)[0].folder.parents[1]
    config = weak('mib_s', **{'annotation.folder': str(root)}, seam=None, seam_dir='nowhere')
    again = train_protocol(config, tmp_path / 'again')
    assert trained == [1]
    (made_by,) = again.steps[1]['pseudo_labels']
    assert 'annotation' not in made_by
    reading = {'threshold': 0.63, 'uncertain': 0.05, 'gating': True}
    read_anew = Experiment(
        weak(
            'ft_s',
            **{
                'annotation.folder': str(root),
                **{f'annotation.{key}': v for key, v in reading.items()},
            },
        )
    )
    assert step_labels(read_anew, 1).ledger_entry()['pseudo_labels'] == [
        {**made_by, 'annotation': reading}
    ], 'settings that replace the rule of meta.json'
    assert (
        again.steps[1]['iou']
        == json.loads((tmp_path / 'w/results.json').read_text())['steps'][1]['iou']
    )
    leaf = weak('mib_s', **{'annotation.folder': str(root / '4-2' / '1')})
    with pytest.raises(MissingFileError, match=f"annotation.folder is .*; '{root}' is that root"):
        train_protocol(leaf, tmp_path / 'leaf')
    assert not (tmp_path / 'leaf').exists(), 'before anything is trained'


def test_replaced_labels_are_another_base_step(weak, tmp_path):
    """If it fails, labels made anew in their folder are reported with the network of the old
    ones."""
    experiment = Experiment(weak('joint_s'))
    step_labels(experiment, 0).make()
    (files,) = label_files(experiment, 0)
    given = weak('joint_s', **{'annotation.folder': str(files.folder.parents[1])})
    assert 'reused_from' not in train_protocol(given, tmp_path / 'b').steps[0]
    assert 'reused_from' in train_protocol(given, tmp_path / 'c').steps[0]
    name = next((files.folder / 'labels').iterdir()).stem
    files.write(name, np.zeros_like(files.read_label(name)))
    assert 'reused_from' not in train_protocol(given, tmp_path / 'd').steps[0]
