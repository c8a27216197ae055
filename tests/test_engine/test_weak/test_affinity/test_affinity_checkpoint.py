"""A config and two sets of pseudo-labels become the checkpoint of an AffinityNet."""

import numpy as np
import pytest
import torch

from incseg.datasets import PseudoLabelFiles, ScoreFile
from incseg.engine import Experiment, train_seam
from incseg.engine.checkpoint import save_checkpoint
from incseg.engine.weak.affinity import job
from incseg.engine.weak.seam_config import weak_training_set
from incseg.errors import InvalidInputError, MissingFileError
from incseg.models import AffinityRandomWalk
from incseg.registry import DATASETS
from tests.test_utils.test_number_formats import rules, settings

NET = dict(
    type='AffinityNet',
    channels=(4, 4, 4),
    backbone=dict(type='ResNet', depth=18, num_stages=3, output_stride=8),
)
TRAINING = dict(epochs=2, batch_size=4, crop_size=32)


@pytest.fixture
def experiment(tiny_seam):
    """Eight pictures of 32 x 32, learned by a small network from noise."""

    def make(**options):
        return Experiment(
            tiny_seam(
                **{
                    'data.train.length': 8,
                    'seam.refine': dict(type='AffinityRandomWalk', net=NET),
                    **options,
                }
            )
        )

    return make


@pytest.fixture
def folders(experiment, tmp_path):
    """Scores for all pictures: class 3 on the right, background on the left."""
    dataset = DATASETS.build(weak_training_set(experiment()))
    scores = np.zeros((2, 32, 32), np.float32)
    scores[0, :, :16] = scores[1, :, 16:] = 1
    for name in ('strong', 'weak'):
        for image_id in dataset.image_ids:
            PseudoLabelFiles(tmp_path / name).write(
                image_id, np.zeros((32, 32), np.uint8), ScoreFile.quantise([0, 3], scores)
            )
    return tmp_path / 'strong', tmp_path / 'weak'


@pytest.fixture
def calls(monkeypatch):
    """Arguments of :func:`train_affinity`, and the TF32 settings, instead of a training."""
    calls = []

    def record(net, data, **kwargs):
        calls.append(dict(kwargs, net=net, data=data, tf32=settings()[:2]))
        return [1.0] * kwargs['epochs']

    monkeypatch.setattr(job, 'train_affinity', record)
    return calls


def test_file_and_its_meta(experiment, folders, tmp_path):
    """If it fails, the file cannot walk, differs from run to run of one seed, or lacks how it was
    made."""
    states = []
    for name in ('a.pth', 'new/b.pth'):
        meta = job.affinity_job(experiment(), *folders, tmp_path / name, **TRAINING)
        content = torch.load(tmp_path / name, weights_only=True)
        assert content['meta'] == meta and meta['seconds'] > 0 and 0 < meta['loss'] < 6
        states.append(content['state_dict'])
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert {
        key: meta[key] for key in ('epochs', 'batch_size', 'crop_size', 'images', 'seed')
    } == dict(TRAINING, images=8, seed=42)
    assert (meta['pretrained'], meta['init_from']) == (False, None)
    AffinityRandomWalk(NET, str(tmp_path / 'a.pth'))
    assert not list(tmp_path.rglob('*.tmp'))


@pytest.mark.parametrize('force', [False, True])
def test_what_is_there_stays(experiment, folders, tmp_path, calls, force):
    """If it fails, a mistyped output costs a checkpoint, after eight epochs."""
    (tmp_path / 'a.pth').write_bytes(b'mine')
    outputs = [tmp_path / 'a.pth', next((folders[0] / 'labels').iterdir())]
    for out, message in zip(outputs, ('exists already', 'is the input'), strict=True):
        if not (force and out == outputs[0]):
            with pytest.raises(InvalidInputError, match=message):
                job.affinity_job(experiment(), *folders, out, **TRAINING, force=force)
    assert not calls and outputs[0].read_bytes() == b'mine'


def test_follows_the_config(experiment, folders, tmp_path, calls):
    """If it fails, training ignores SEAM's schedule or the published colours, or freezes layers
    that start from noise."""
    job.affinity_job(
        experiment(
            **{
                'seam.schedule.head_factor': 3.0,
                'seam.schedule.poly_power': 0.5,
                'seam.schedule.weight_decay': 1e-3,
                'seam.schedule.amp': False,
            }
        ),
        *folders,
        tmp_path / 'a.pth',
        lr=0.02,
        **TRAINING,
    )
    (call,) = calls
    assert {
        key: call[key]
        for key in ('head_factor', 'poly_power', 'weight_decay', 'amp', 'momentum', 'lr')
    } == dict(head_factor=3.0, poly_power=0.5, weight_decay=1e-3, amp=False, momentum=0.9, lr=0.02)
    assert call['net'].frozen is False
    colour = call['data'].colour
    assert (colour.brightness, colour.contrast, colour.saturation) == ((0.7, 1.3),) * 3
    assert colour.hue == (-0.1, 0.1)


def test_imagenet_is_frozen(experiment, folders, tmp_path, calls, monkeypatch):
    """If it fails, BatchNorm and early layers from ImageNet are not frozen, have momentum, or
    ignore the config's ``frozen``."""
    monkeypatch.setattr('incseg.models.backbones.ResNet.init_weights', lambda self: None)
    for frozen in (None, False):
        net = dict(NET, backbone=dict(NET['backbone'], pretrained=True))
        if frozen is not None:
            net['frozen'] = frozen
        meta = job.affinity_job(
            experiment(**{'seam.refine': dict(type='AffinityRandomWalk', net=net)}),
            *folders,
            tmp_path / 'a.pth',
            **TRAINING,
            force=True,
        )
        assert meta['pretrained'] is True
    assert [(call['net'].frozen, call['momentum']) for call in calls] == [(True, 0.0), (False, 0.0)]


def test_starts_from_seam(experiment, folders, tmp_path, calls):
    """If it fails, the backbone's weights are not SEAM's, or are not frozen exactly if SEAM itself
    did not change ImageNet's norms."""
    path = train_seam(experiment(), 1, tmp_path / 'seam')
    content = torch.load(path, weights_only=True)
    for pretrained in (False, True):
        content['meta']['pretrained'] = pretrained
        save_checkpoint(content, tmp_path / 'start.pth', 'seam')
        meta = job.affinity_job(
            experiment(),
            *folders,
            tmp_path / 'a.pth',
            tmp_path / 'start.pth',
            **TRAINING,
            force=True,
        )
        assert (meta['pretrained'], meta['init_from']) == (pretrained, str(tmp_path / 'start.pth'))
        assert (calls[-1]['net'].frozen, calls[-1]['momentum']) == (
            pretrained,
            0.0 if pretrained else 0.9,
        )
    stem = torch.load(tmp_path / 'a.pth', weights_only=True)['state_dict']['backbone.conv1.weight']
    assert torch.equal(stem, content['state_dict']['backbone.conv1.weight'])


def test_of_a_step_nothing_is_frozen(experiment, tmp_path):
    """If it fails, a ``final.pth``, which has statistics of its own images, is taken for
    ImageNet."""
    torch.save(
        dict(
            state_dict={},
            meta=dict(
                incseg_version='0',
                method='mib',
                protocol={},
                step=0,
                classes=[],
                palette=[],
                pretrained=True,
            ),
        ),
        tmp_path / 'final.pth',
    )
    assert not job.starts_from_imagenet(NET, tmp_path / 'final.pth')
    assert not job.starts_from_imagenet(
        dict(NET, backbone=dict(NET['backbone'], pretrained=True)), tmp_path / 'final.pth'
    )


def test_labels_in_the_wrong_order(experiment, folders, tmp_path, calls):
    """If it fails, strong and weak labels in the wrong order teach nothing that is sure."""
    for folder, power in zip(folders, (24.0, 4.0)):
        PseudoLabelFiles(folder).write_meta(dict(ids=[3], background=dict(mode='pow', value=power)))
    message = r"strong labels '.*strong' have background power 24, the weak ones '.*weak' 4"
    with pytest.raises(InvalidInputError, match=message):
        job.affinity_job(experiment(), *folders, tmp_path / 'a.pth', **TRAINING)
    job.affinity_job(experiment(), *folders[::-1], tmp_path / 'a.pth', **TRAINING)


def test_mistakes_are_reported_before_training(experiment, folders, tmp_path, calls):
    """If it fails, a config without the network, a folder as file, a missing start or crops without
    a pair are reported after hours, or destroy the existing file."""
    (tmp_path / 'a.pth').write_bytes(b'before')
    train = job.affinity_job
    with pytest.raises(InvalidInputError, match='seam.refine is .*, expected dict'):
        train(experiment(**{'seam.refine': dict(type='PAMR')}), *folders, tmp_path / 'a.pth')
    with pytest.raises(InvalidInputError, match='out is .*, expected the name of a file'):
        train(experiment(), *folders, tmp_path)
    with pytest.raises(MissingFileError, match=r'none\.pth'):
        train(experiment(), *folders, tmp_path / 'a.pth', tmp_path / 'none.pth')
    with pytest.raises(InvalidInputError, match='crop_size of AffinityNet is 16, expected a mul'):
        train(experiment(), *folders, tmp_path / 'a.pth', crop_size=16, force=True)
    assert not calls and (tmp_path / 'a.pth').read_bytes() == b'before'


def test_tf32(experiment, folders, tmp_path, calls):
    """If it fails, a GPU rounds float32 products in another way than ``schedule.tf32``, or goes on
    so afterwards."""
    before = rules()
    for allowed in (False, True):
        job.affinity_job(
            experiment(**{'schedule.tf32': allowed}),
            *folders,
            tmp_path / 'a.pth',
            **TRAINING,
            force=True,
        )
        assert rules() == before
    assert [call['tf32'] for call in calls] == [(False, False), (True, True)]
