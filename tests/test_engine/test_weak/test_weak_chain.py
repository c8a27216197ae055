"""From image-level labels to a trained step: each stage once, shared, and resumable."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from incseg.apis import load_config
from incseg.datasets import PseudoLabelFiles
from incseg.engine import Experiment, train_protocol, train_seam
from incseg.engine.labels import step_labels
from incseg.engine.weak import annotation as weak_chain
from incseg.engine.weak import seam_training
from incseg.engine.weak.seam_config import weak_training_set
from incseg.engine.weak.seam_store import seam_folder
from incseg.errors import InvalidInputError, MissingFileError
from incseg.registry import DATASETS, MODELS
from tests.conftest import TINY

CONFIGS = Path(__file__).parents[3] / 'configs'
SMALL = {
    'seam.schedule.epochs': 1,
    'seam.schedule.batch_size': 8,
    'seam.schedule.log_interval': 100,
    'seam.schedule.checkpoint_interval': 2,
    'seam.model.backbone.output_stride': 8,
    'seam.inference.scales': (1.0,),
}


@pytest.fixture
def weak(tmp_path):
    """``weak('mib_s', **options)``: an S row at toy size."""

    def load(method, **options):
        return load_config(
            CONFIGS / method / 'bisenet_r18_shapes_4-2.py',
            {
                **TINY,
                **SMALL,
                'base_steps_dir': str(tmp_path / 'base_steps'),
                'seam_dir': str(tmp_path / 'seam'),
                **options,
            },
        )

    return load


def label_files(experiment, k, previous=None):
    """Where the pseudo-labels of a step are."""
    labels = step_labels(experiment, k)
    labels.begin(None, previous)
    return labels.files()


@pytest.fixture
def trained(monkeypatch):
    """Steps for which SEAM was trained, where it was not there yet."""
    steps = []
    plain = weak_chain.train_seam

    def train(experiment, step, folder, **options):
        if not (Path(folder) / 'seam.pth').is_file():
            steps.append(step)
        return plain(experiment, step, folder, **options)

    monkeypatch.setattr(weak_chain, 'train_seam', train)
    return steps


def test_one_command(weak, trained, tmp_path):
    """MiB-S trains SEAM, writes the step's labels and learns from them; FT-S finds both there; the
    ledgers say where the labels came from, the base step has masks."""
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


def test_a_network_trained_by_hand(weak, trained, tmp_path):
    """If it fails, who trained SEAM by hand waits for it a second time."""
    config = weak('mib_s', epochs=1)
    path = train_seam(Experiment(config), 1)
    assert path == seam_folder(Experiment(config), 1) / 'seam.pth'
    train_protocol(weak('mib_s'), tmp_path / 'mib_s')
    assert trained == []


def test_joint(weak, trained, tmp_path):
    """Joint-S learns every class from SEAM's labels of all images; with ``steps='added'`` the base
    classes come from masks, and the base step of neither is that of joint training on masks."""
    config = weak('joint_s')
    ledger = train_protocol(config, tmp_path / 'all')
    assert trained == [0] and len(ledger.steps) == 1
    (files,) = label_files(Experiment(config), 0)
    assert files.folder.parts[-2:] == ('offline', '0')
    assert len(list((files.folder / 'labels').iterdir())) == 32
    added = train_protocol(weak('joint_s', **{'annotation.steps': 'added'}), tmp_path / 'added')
    assert trained == [0] and 'reused_from' not in added.steps[0]
    masks = weak('joint_s', annotation=None)
    assert 'reused_from' not in train_protocol(masks, tmp_path / 'masks').steps[0]


def test_scope_step(weak, trained, tmp_path):
    """The strictly incremental setting has a network of its own for each step, of its classes."""
    config = weak('mib_s', **{'seam.scope': 'step', 'protocol.name': '2-2'})
    ledger = train_protocol(config, tmp_path / 'w')
    assert trained == [1, 2]
    experiment = Experiment(config)
    assert seam_folder(experiment, 1) != seam_folder(experiment, 2)
    assert [label_files(experiment, k)[0].read_meta()['ids'] for k in (1, 2)] == [[3, 4], [5, 6]]
    assert [len(entry.get('pseudo_labels', [])) for entry in ledger.steps] == [0, 1, 1]


def test_another_setting(weak, trained):
    """Overlapping, then disjoint steps of one data set: one SEAM, labels of each setting's images;
    joint training, whose images are the same in both, also shares the labels."""
    made = {}
    for method, step in (('mib_s', 1), ('joint_s', 0)):
        for setting in ('overlap', 'disjoint'):
            experiment = Experiment(weak(method, **{'protocol.setting': setting}))
            step_labels(experiment, step).make()
            (made[method, setting],) = label_files(experiment, step)
    assert trained == [1], 'one network'
    count = {key: len(list((files.folder / 'labels').iterdir())) for key, files in made.items()}
    assert 0 < count['mib_s', 'disjoint'] <= count['mib_s', 'overlap'] < 32
    folders = {key: files.folder for key, files in made.items()}
    assert folders['mib_s', 'overlap'] != folders['mib_s', 'disjoint']
    assert folders['joint_s', 'overlap'] == folders['joint_s', 'disjoint']
    assert made['mib_s', 'disjoint'].read_meta()['protocol']['setting'] == 'disjoint'


def test_another_class_order(weak, trained):
    """Two orders of one data set share a SEAM; each has the labels of its own steps."""
    shown = {}
    for order in ([1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1]):
        experiment = Experiment(weak('mib_s', **{'protocol.class_order': order}))
        step_labels(experiment, 1).make()
        (files,) = label_files(experiment, 1)
        assert files.read_meta()['ids'] == [1, 2, 3, 4, 5, 6]
        names = set(experiment.names(experiment.protocol.new(1)))
        listed = json.loads((files.folder / 'image_labels.json').read_text())
        assert listed and all(names & set(found) for found in listed.values())
        shown[files.folder] = listed
    assert trained == [1] and len(shown) == 2


def test_an_affinity_network_that_was_replaced(weak, trained, tmp_path):
    """Its path is the same, its weights are not: the labels are made anew by the same SEAM."""
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
    made = []
    for seed in (0, 1, 1):
        torch.manual_seed(seed)
        torch.save(dict(state_dict=MODELS.build(net).state_dict()), path)
        step_labels(experiment, 1).make()
        made.append(label_files(experiment, 1)[0])
    first, second, again = made
    assert trained == [1] and first.folder != second.folder == again.folder
    assert first.read_meta()['refine_sha'] != second.read_meta()['refine_sha']
    assert list(second.read_meta()['refine_sha']) == [str(path)]


def test_negatives_through_the_network_before(weak, trained, monkeypatch, tmp_path):
    """One class a step: the old network's labels make it learnable, in every step by the network
    before it; labels and the place where they are read belong to that network."""
    from tests.test_engine.test_weak.conftest import KnowsTheMasks

    monkeypatch.setattr(seam_training, 'OldNetwork', KnowsTheMasks)
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


def test_backbone_from_step_0(weak, tmp_path):
    """The backbone may start from the context path of step 0; the ledger says so."""
    config = weak('mib_s', **{'seam.init_from': 'step0'})
    ledger = train_protocol(config, tmp_path / 'w')
    assert ledger.steps[1]['pseudo_labels'][0]['init_from'] == 'step0'


def test_interrupted_labels_are_completed(weak, trained, monkeypatch, tmp_path):
    """A run cut off while it writes labels goes on with those that are missing."""
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


def test_labels_that_are_there(weak, trained, tmp_path):
    """``annotation.folder`` names labels made beforehand: nothing is trained for them."""
    made = weak('mib_s')
    train_protocol(made, tmp_path / 'w')
    root = label_files(Experiment(made), 1)[0].folder.parents[1]
    config = weak('mib_s', **{'annotation.folder': str(root)}, seam=None, seam_dir='nowhere')
    again = train_protocol(config, tmp_path / 'again')
    assert trained == [1]
    (made_by,) = again.steps[1]['pseudo_labels']
    assert 'annotation' not in made_by
    given = {'threshold': 0.63, 'uncertain': 0.05, 'gating': True}
    read_anew = Experiment(
        weak(
            'ft_s',
            **{
                'annotation.folder': str(root),
                **{f'annotation.{key}': v for key, v in given.items()},
            },
        )
    )
    assert step_labels(read_anew, 1).ledger_entry()['pseudo_labels'] == [
        {**made_by, 'annotation': given}
    ], 'what took the place of the rule in meta.json'
    assert (
        again.steps[1]['iou']
        == json.loads((tmp_path / 'w/results.json').read_text())['steps'][1]['iou']
    )
    leaf = weak('mib_s', **{'annotation.folder': str(root / '4-2' / '1')})
    with pytest.raises(MissingFileError, match=f"annotation.folder is .*; '{root}' is that root"):
        train_protocol(leaf, tmp_path / 'leaf')
    assert not (tmp_path / 'leaf').exists(), 'before anything is trained'


def test_what_seam_cannot_learn(weak, trained, tmp_path):
    """A step of one class is refused before the base step is trained, with the ways out."""
    config = weak('mib_s', **{'seam.scope': 'step', 'protocol.name': '4-1'})
    with pytest.raises(InvalidInputError, match='step 1: each of the .* images shows cross, so'):
        train_protocol(config, tmp_path / 'w')
    assert not (tmp_path / 'w').exists() and not trained


def test_mistakes(weak):
    """One line with the key, before anything is trained."""
    with pytest.raises(InvalidInputError, match=r"annotation\.steps is 'base', allowed: 'added'"):
        weak('mib_s', **{'annotation.steps': 'base'})
    with pytest.raises(InvalidInputError, match="config has no 'seam' to make pseudo-labels"):
        weak('mib_s', seam=None)


def test_joint_with_an_image_of_nothing(weak, trained, tmp_path):
    """Joint training reads every image: one whose labels name no class is all background."""
    dataset = DATASETS.build(weak_training_set(Experiment(weak('joint_s'))))
    names = np.array(dataset.metainfo['classes'])
    shown = {
        image_id: names[np.flatnonzero(row[1:]) + 1].tolist()
        for image_id, row in zip(dataset.image_ids, dataset.presence())
    }
    shown[dataset.image_ids[3]] = []
    path = tmp_path / 'labels.json'
    path.write_text(json.dumps(shown))
    config = weak('joint_s', **{'seam.image_labels': dict(type='JSONImageLabels', path=str(path))})
    assert len(train_protocol(config, tmp_path / 'w').steps) == 1
    (files,) = label_files(Experiment(config), 0)
    assert not files.read_label(dataset.image_ids[3]).any()


def test_replaced_labels_are_another_base_step(weak, trained, tmp_path):
    """If it fails, labels made anew in their folder are reported with the old ones' network."""
    config = weak('joint_s')
    train_protocol(config, tmp_path / 'a')
    (files,) = label_files(Experiment(config), 0)
    given = weak('joint_s', **{'annotation.folder': str(files.folder.parents[1])})
    assert 'reused_from' not in train_protocol(given, tmp_path / 'b').steps[0]
    assert 'reused_from' in train_protocol(given, tmp_path / 'c').steps[0]
    name = next((files.folder / 'labels').iterdir()).stem
    files.write(name, np.zeros_like(files.read_label(name)))
    assert 'reused_from' not in train_protocol(given, tmp_path / 'd').steps[0]
