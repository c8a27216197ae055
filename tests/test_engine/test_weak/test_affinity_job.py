import numpy as np
import pytest
import torch

from incseg.datasets import PseudoLabelFiles, ScoreFile
from incseg.engine import Experiment, train_seam
from incseg.engine.weak import affinity as affinity_job
from incseg.engine.weak.seam_config import weak_training_set
from incseg.errors import InvalidInputError, MissingFileError
from incseg.models import AffinityRandomWalk
from incseg.registry import DATASETS

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


def trained_with(monkeypatch):
    """What :func:`train_affinity` is called with; it still trains."""
    calls = []
    original = affinity_job.train_affinity

    def record(net, data, **kwargs):
        calls.append(dict(kwargs, net=net, data=data))
        return original(net, data, progress=False, **kwargs)

    monkeypatch.setattr(affinity_job, 'train_affinity', record)
    return calls


def test_file_and_its_meta(experiment, folders, tmp_path):
    """What is written walks, is the same again for the same seed, and says how it was made."""
    kept = []
    for name in ('a.pth', 'new/b.pth'):
        meta = affinity_job.affinity_job(experiment(), *folders, tmp_path / name, **TRAINING)
        content = torch.load(tmp_path / name, weights_only=True)
        assert content['meta'] == meta and meta['seconds'] > 0 and 0 < meta['loss'] < 6
        kept.append(content['state_dict'])
    assert all(torch.equal(value, kept[1][name]) for name, value in kept[0].items())
    assert {
        key: meta[key] for key in ('epochs', 'batch_size', 'crop_size', 'images', 'seed')
    } == dict(TRAINING, images=8, seed=42)
    assert (meta['pretrained'], meta['init_from']) == (False, None)
    AffinityRandomWalk(NET, str(tmp_path / 'a.pth'))
    assert not list(tmp_path.rglob('*.tmp'))


def test_follows_the_config(experiment, folders, tmp_path, monkeypatch):
    """The schedule of SEAM, the published colours; from noise nothing is frozen and the momentum
    is that of `scratch`."""
    calls = trained_with(monkeypatch)
    affinity_job.affinity_job(
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


def test_imagenet_is_frozen(experiment, folders, tmp_path, monkeypatch):
    """After ImageNet BatchNorm and early layers stay, and the momentum is 0, unless the config
    says otherwise."""
    calls = trained_with(monkeypatch)
    monkeypatch.setattr('incseg.models.backbones.ResNet.init_weights', lambda self: None)
    for frozen in (None, False):
        net = dict(NET, backbone=dict(NET['backbone'], pretrained=True))
        if frozen is not None:
            net['frozen'] = frozen
        meta = affinity_job.affinity_job(
            experiment(**{'seam.refine': dict(type='AffinityRandomWalk', net=net)}),
            *folders,
            tmp_path / 'a.pth',
            **TRAINING,
        )
        assert meta['pretrained'] is True
    assert [(call['net'].frozen, call['momentum']) for call in calls] == [(True, 0.0), (False, 0.0)]


def test_starts_from_seam(experiment, folders, tmp_path, monkeypatch):
    """The backbone's weights are SEAM's; it is frozen if SEAM itself had kept ImageNet's norms."""
    calls = trained_with(monkeypatch)
    path = train_seam(experiment(), 1, tmp_path / 'seam')
    content = torch.load(path, weights_only=True)
    for pretrained in (False, True):
        content['meta']['pretrained'] = pretrained
        torch.save(content, tmp_path / 'start.pth')
        meta = affinity_job.affinity_job(
            experiment(), *folders, tmp_path / 'a.pth', tmp_path / 'start.pth', **TRAINING
        )
        assert (meta['pretrained'], meta['init_from']) == (pretrained, str(tmp_path / 'start.pth'))
        assert (calls[-1]['net'].frozen, calls[-1]['momentum']) == (
            pretrained,
            0.0 if pretrained else 0.9,
        )
    stem = torch.load(tmp_path / 'a.pth', weights_only=True)['state_dict']['backbone.conv1.weight']
    assert torch.equal(stem, content['state_dict']['backbone.conv1.weight'])


def test_of_a_step_nothing_is_frozen(experiment, tmp_path):
    """A `final.pth` has statistics of its own images, whatever its backbone began with."""
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
    assert not affinity_job.starts_from_imagenet(NET, tmp_path / 'final.pth')
    assert not affinity_job.starts_from_imagenet(
        dict(NET, backbone=dict(NET['backbone'], pretrained=True)), tmp_path / 'final.pth'
    )


def test_labels_in_the_wrong_order(experiment, folders, tmp_path):
    """Strong and weak mistaken for each other would teach it nothing that is sure."""
    for folder, power in zip(folders, (24.0, 4.0)):
        PseudoLabelFiles(folder).write_meta(dict(ids=[3], background=dict(mode='pow', value=power)))
    message = r"strong labels '.*strong' have background power 24, the weak ones '.*weak' 4"
    with pytest.raises(InvalidInputError, match=message):
        affinity_job.affinity_job(experiment(), *folders, tmp_path / 'a.pth', **TRAINING)
    affinity_job.affinity_job(experiment(), *folders[::-1], tmp_path / 'a.pth', **TRAINING)


def test_mistakes_are_said_before_training(experiment, folders, tmp_path, monkeypatch):
    """A config without the network, a folder as file, no start, crops without a pair; nothing is
    written, and what stood there stays."""
    (tmp_path / 'a.pth').write_bytes(b'before')
    calls = trained_with(monkeypatch)
    job = affinity_job.affinity_job
    with pytest.raises(InvalidInputError, match='seam.refine is .*; allowed here is dict'):
        job(experiment(**{'seam.refine': dict(type='PAMR')}), *folders, tmp_path / 'a.pth')
    with pytest.raises(InvalidInputError, match='is a folder; allowed is the name of a file'):
        job(experiment(), *folders, tmp_path)
    with pytest.raises(MissingFileError, match=r'none\.pth'):
        job(experiment(), *folders, tmp_path / 'a.pth', tmp_path / 'none.pth')
    with pytest.raises(InvalidInputError, match='crop_size of AffinityNet is 16; allowed is a mul'):
        job(experiment(), *folders, tmp_path / 'a.pth', crop_size=16)
    assert not calls and (tmp_path / 'a.pth').read_bytes() == b'before'


def test_tf32(experiment, folders, tmp_path, monkeypatch):
    """A GPU rounds float32 products where `schedule.tf32` lets it, and as before afterwards."""
    seen = []
    plain = affinity_job.train_affinity

    def train(*args, **kwargs):
        seen.append((torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32))
        return plain(*args, **kwargs)

    monkeypatch.setattr(affinity_job, 'train_affinity', train)
    before = torch.backends.cuda.matmul.allow_tf32
    for allowed in (False, True):
        affinity_job.affinity_job(
            experiment(**{'schedule.tf32': allowed}), *folders, tmp_path / 'a.pth', **TRAINING
        )
        assert torch.backends.cuda.matmul.allow_tf32 is before
    assert seen == [(False, False), (True, True)]
