"""One command trains SEAM, makes the pseudo-labels of a step and trains the step on them."""

import json

import numpy as np
import pytest

from incseg.datasets import PseudoLabelFiles
from incseg.engine import Experiment, train_protocol
from incseg.engine.labels import step_labels
from incseg.engine.weak.seam_config import weak_training_set
from incseg.engine.weak.seam_store import seam_folder
from incseg.errors import InvalidInputError
from incseg.registry import DATASETS
from tests.test_engine.test_weak.conftest import label_files


def test_one_command(weak, trained, tmp_path):
    """If it fails, MiB-S does not learn from SEAM's labels, the ledger does not say so, or FT-S
    makes them again; the base step has masks."""
    config = weak('mib_s')
    ledger = train_protocol(config, tmp_path / 'mib_s')
    assert trained == [1]
    assert 'pseudo_labels' not in ledger.steps[0]
    (made_by,) = ledger.steps[1]['pseudo_labels']
    assert made_by['scope'] == 'all' and made_by['pretrained'] is False
    assert made_by['bg'] == dict(mode='const', value=0.5)
    (files,) = label_files(Experiment(config), 1)
    labels = sorted(path.stem for path in (files.folder / 'labels').iterdir())
    assert len(labels) == ledger.steps[1]['train_images']
    meta = files.read_meta()
    assert meta['ids'] == [1, 2, 3, 4, 5, 6] and meta['protocol']['name'] == '4-2'
    dataset = DATASETS.build(step_labels(Experiment(config), 1).dataset())
    for i, value in enumerate((5, 2, 255)):  # what training sees: a new class, an old one, void
        before = files.read_label(dataset.image_ids[i])
        files.write(dataset.image_ids[i], np.full_like(before, value))
        seen = dataset[i]['data_samples'].gt_sem_seg.data.unique().tolist()
        assert seen == {5: [5], 2: [0], 255: [255]}[value]
        files.write(dataset.image_ids[i], before)
    train_protocol(weak('ft_s'), tmp_path / 'ft_s')
    assert trained == [1], 'the same network and labels serve both'
    mask_base = json.loads((tmp_path / 'mib_s/results.json').read_text())['steps'][0]
    weak_base = json.loads((tmp_path / 'ft_s/results.json').read_text())['steps'][0]
    assert mask_base['iou'] == weak_base['iou'] and 'reused_from' in weak_base


def test_joint(weak, trained, tmp_path):
    """If it fails, Joint-S does not learn every class of every image from pseudo-labels, also of an
    image of no class, or reuses the base step of other labels: with ``steps='added'`` the base
    classes come from masks."""
    dataset = DATASETS.build(weak_training_set(Experiment(weak('joint_s'))))
    names = np.array(dataset.metainfo['classes'])
    listed = {
        image_id: names[np.flatnonzero(row[1:]) + 1].tolist()
        for image_id, row in zip(dataset.image_ids, dataset.presence())
    }
    listed[dataset.image_ids[3]] = []
    path = tmp_path / 'labels.json'
    path.write_text(json.dumps(listed))
    source = {'seam.image_labels': dict(type='JSONImageLabels', path=str(path))}
    config = weak('joint_s', **source)
    ledger = train_protocol(config, tmp_path / 'all')
    assert trained == [0] and len(ledger.steps) == 1
    (files,) = label_files(Experiment(config), 0)
    assert files.folder.parts[-2:] == ('offline', '0')
    assert len(list((files.folder / 'labels').iterdir())) == 32
    assert not files.read_label(dataset.image_ids[3]).any()
    mixed = weak('joint_s', **source, **{'annotation.steps': 'added'})
    assert 'reused_from' not in train_protocol(mixed, tmp_path / 'added').steps[0]
    assert trained == [0]
    masks = weak('joint_s', annotation=None)
    assert 'reused_from' not in train_protocol(masks, tmp_path / 'masks').steps[0]


def test_scope_step(weak, trained, tmp_path):
    """If it fails, steps of the strictly incremental setting share a network, or its start from
    step 0 is not recorded."""
    options = {'seam.scope': 'step', 'protocol.name': '2-2', 'seam.init_from': 'step0'}
    config = weak('mib_s', bisenet=True, **options)
    ledger = train_protocol(config, tmp_path / 'w')
    assert trained == [1, 2]
    experiment = Experiment(config)
    assert seam_folder(experiment, 1) != seam_folder(experiment, 2)
    assert [label_files(experiment, k)[0].read_meta()['ids'] for k in (1, 2)] == [[3, 4], [5, 6]]
    assert [len(entry.get('pseudo_labels', [])) for entry in ledger.steps] == [0, 1, 1]
    for entry in ledger.steps[1:]:
        assert entry['pseudo_labels'][0]['init_from'] == 'step0'


def test_negatives_from_the_previous_network(weak, trained, perfect_old_network, tmp_path):
    """If it fails, steps of one class cannot be learned through the network of the previous step,
    or labels made through one network are read for another."""
    config = weak(
        'mib_s',
        **{
            'seam.scope': 'step',
            'protocol.name': '4-1',
            'data.train.length': 24,
            'seam.negatives': dict(type='OldModelLabels', sizes=[0.25]),
        },
    )
    ledger = train_protocol(config, tmp_path / 'w')
    assert trained == [1, 2]
    assert [len(entry.get('pseudo_labels', [])) for entry in ledger.steps] == [0, 1, 1]
    experiment, before = Experiment(config), tmp_path / 'w/step_0/final.pth'
    (files,) = label_files(experiment, 1, before)
    assert files.read_meta()['ids'] == [5]
    assert files.folder != label_files(experiment, 1)[0].folder
    assert files.folder != label_files(experiment, 1, tmp_path / 'w/step_1/final.pth')[0].folder


def test_interrupted_labels_are_completed(weak, trained, monkeypatch, tmp_path):
    """If it fails, an interrupted run makes complete labels again, or lacks some."""
    plain = PseudoLabelFiles.write
    count = []

    def write(self, *args, **kwargs):
        if len(count) == 3:
            raise KeyboardInterrupt
        count.append(args[0])
        return plain(self, *args, **kwargs)

    monkeypatch.setattr(PseudoLabelFiles, 'write', write)
    config = weak('mib_s')
    with pytest.raises(KeyboardInterrupt):
        train_protocol(config, tmp_path / 'w')
    first, count[:] = list(count), []
    monkeypatch.setattr(
        PseudoLabelFiles, 'write', lambda self, *a, **k: (count.append(a[0]), plain(self, *a, **k))
    )
    ledger = train_protocol(config, tmp_path / 'w', resume=True)
    assert trained == [1] and not set(first) & set(count)
    assert len(first) + len(count) == ledger.steps[1]['train_images']


def test_what_seam_cannot_learn(weak, trained, tmp_path):
    """If it fails, a step of one class is refused only after the base step was trained."""
    config = weak('mib_s', **{'seam.scope': 'step', 'protocol.name': '4-1'})
    with pytest.raises(InvalidInputError, match='step 1: each of the .* images shows cross, so'):
        train_protocol(config, tmp_path / 'w')
    assert not (tmp_path / 'w').exists() and not trained


def test_mistakes(weak):
    """If it fails, a mistake is reported only after a training."""
    with pytest.raises(InvalidInputError, match=r"annotation\.steps is 'base'"):
        weak('mib_s', **{'annotation.steps': 'base'})
    with pytest.raises(InvalidInputError, match="config has no 'seam' to make pseudo-labels"):
        weak('mib_s', seam=None)
