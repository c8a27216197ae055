import subprocess
import sys

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook

from incseg.engine import Experiment, train_protocol, train_seam
from incseg.engine.weak import seam_training
from incseg.engine.weak.seam_config import seam_runner_config
from incseg.engine.weak.seam_store import load_seam, read_seam_checkpoint
from incseg.errors import InvalidInputError, MissingFileError
from incseg.registry import HOOKS


class PowerCutError(Exception):
    """Stands for a power cut."""


@HOOKS.register_module()
class SeamStopAt(Hook):
    """Interrupts the training after some iterations."""

    when = None

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if self.when == batch_idx + 1:
            raise PowerCutError


@pytest.fixture
def stoppable(monkeypatch):
    """A training that ``SeamStopAt.when`` interrupts."""

    def config(*args, **kwargs):
        made = seam_runner_config(*args, **kwargs)
        made.custom_hooks.append(dict(type='SeamStopAt'))
        return made

    monkeypatch.setattr(seam_training, 'seam_runner_config', config)
    yield
    SeamStopAt.when = None


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_what_is_written(tiny_seam, tmp_path):
    """Weights that loaded, and all that tells what the maps mean and where they came from."""
    experiment = Experiment(tiny_seam(**{'seam.scope': 'step'}))
    path = train_seam(experiment, 1, tmp_path / 'w')
    assert path == tmp_path / 'w/seam.pth' and not (tmp_path / 'w/resume.pth').exists()
    model, meta = load_seam(experiment, path)
    images = meta.pop('images')
    assert meta.pop('incseg_version') and 8 <= images < 32
    assert meta == dict(
        classes=['cross', 'star'],
        palette=[[190, 60, 200], [230, 50, 50]],
        ids=[5, 6],
        helpers=[],
        step=1,
        scope='step',
        pretrained=False,
        init_from=None,
        init_sha=None,
        seed=42,
        method='seam',
        negatives=None,
        protocol=experiment.describe_protocol(),
    )
    assert model.num_classes == 2


def test_interrupted_equals_uninterrupted(stoppable, tiny_seam, tmp_path):
    """Same weights bit for bit: batches, crops, dropout, optimiser and schedule."""
    experiment = Experiment(tiny_seam(**{'seam.model.head.dropout_ratio': 0.5}))
    straight = read_seam_checkpoint(train_seam(experiment, 1, tmp_path / 'a'))['state_dict']
    SeamStopAt.when = 3
    with pytest.raises(PowerCutError):
        train_seam(experiment, 1, tmp_path / 'b', resume=True)
    saved = torch.load(tmp_path / 'b/resume.pth', weights_only=True)
    assert saved['meta']['iter'] == 2
    SeamStopAt.when = None
    resumed = read_seam_checkpoint(train_seam(experiment, 1, tmp_path / 'b', resume=True))
    assert same(straight, resumed['state_dict'])
    other = Experiment(tiny_seam(seed=7))
    assert not same(
        straight, read_seam_checkpoint(train_seam(other, 1, tmp_path / 'c'))['state_dict']
    )


def test_what_stands_there(tiny_seam, tmp_path):
    """A finished training is used or refused, never overwritten; another config is named."""
    experiment = Experiment(tiny_seam())
    path = train_seam(experiment, 1, tmp_path)
    stamp = path.stat().st_mtime_ns
    with pytest.raises(InvalidInputError, match='seam.pth exists already: pass --resume'):
        train_seam(experiment, 1, tmp_path)
    assert train_seam(experiment, 0, tmp_path, resume=True) == path, "scope 'all' has no step"
    other = Experiment(tiny_seam(**{'seam.inference.flip': False}))
    assert train_seam(other, 1, tmp_path, resume=True) == path, 'another use of the same network'
    assert path.stat().st_mtime_ns == stamp
    with pytest.raises(InvalidInputError, match='started with seam.schedule.lr'):
        train_seam(Experiment(tiny_seam(**{'seam.schedule.lr': 0.5})), 1, tmp_path, resume=True)


def test_the_step_is_part_of_the_config(tiny_seam, tmp_path):
    """With scope 'step', another step's network is not taken for this one's."""
    experiment = Experiment(tiny_seam(**{'seam.scope': 'step', 'protocol.name': '2-2'}))
    train_seam(experiment, 1, tmp_path)
    with pytest.raises(InvalidInputError, match='started with step = 1, this config says 2'):
        train_seam(experiment, 2, tmp_path, resume=True)


def test_backbone_starts_from_step_0(stoppable, tiny_seam, tmp_path):
    """init_from='step0': its context path, and the file says so."""
    config = tiny_seam(**{'seam.init_from': 'step0', 'seam.schedule.lr': 1e-12})
    experiment = Experiment(config)
    with pytest.raises(InvalidInputError, match="init_from is 'step0', but no step 0"):
        train_seam(experiment, 1, tmp_path / 'w')
    with pytest.raises(MissingFileError, match='no checkpoint at .*final.pth'):
        train_seam(experiment, 1, tmp_path / 'w', step0=tmp_path / 'step_0/final.pth')
    train_protocol(config, tmp_path / 'run', [0], reuse=False)
    step0 = tmp_path / 'run/step_0/final.pth'
    content = read_seam_checkpoint(train_seam(experiment, 1, tmp_path / 'w', step0=step0))
    assert content['meta']['init_from'] == 'step0' and content['meta']['pretrained'] is False
    theirs = torch.load(step0, weights_only=True)['state_dict']
    for name in ('conv1.weight', 'layer3.1.conv2.weight'):
        torch.testing.assert_close(
            content['state_dict'][f'backbone.{name}'],
            theirs[f'backbone.context_path.resnet.{name}'],
            rtol=0,
            atol=1e-9,
        )


def test_mistakes(tiny, tiny_seam, tmp_path):
    """No section, a step that is not there, a step that cannot be learned: one line each."""
    with pytest.raises(InvalidInputError, match="has no 'seam': add one of configs/_base_/seam"):
        train_seam(Experiment(tiny()), 1, tmp_path)
    with pytest.raises(InvalidInputError, match=r'--step 5 is out of range: mib 4-2 .* 0 to 1$'):
        train_seam(Experiment(tiny_seam()), 5, tmp_path)
    experiment = Experiment(tiny_seam(**{'seam.scope': 'step', 'protocol.name': '4-1'}))
    with pytest.raises(InvalidInputError, match='shows cross, so nothing tells'):
        train_seam(experiment, 1, tmp_path)
    assert not list(tmp_path.glob('*.pth'))


class KnowsTheMasks:
    """Stands for a base network that learned its classes perfectly."""

    def __init__(self, experiment, step, checkpoint):
        self.known = [0, *experiment.protocol.old(step)]

    def __call__(self, dataset, indices):
        for index in indices:
            label = dataset.get_data_info(index)['gt_seg_map']
            yield index, np.where(np.isin(label, self.known), label, 0), np.ones(label.shape)


@pytest.fixture
def step_0(tiny_seam, tmp_path):
    """A base step's file."""
    train_protocol(tiny_seam(**{'protocol.name': '4-1'}), tmp_path / 'run', [0], reuse=False)
    return tmp_path / 'run/step_0/final.pth'


def test_remedies_through_the_network_before(tiny_seam, step_0, tmp_path, monkeypatch):
    """A step of one class, refused without, is trained; maps of old classes are marked as such, the
    network before is part of the config, and a finished training looks at nothing."""
    monkeypatch.setattr(seam_training, 'OldNetwork', KnowsTheMasks)

    def experiment(**negatives):
        return Experiment(
            tiny_seam(
                **{
                    'seam.scope': 'step',
                    'protocol.name': '4-1',
                    'seam.negatives': negatives or None,
                }
            )
        )

    with pytest.raises(InvalidInputError, match='each of the .* images shows cross'):
        train_seam(experiment(), 1, tmp_path / 'none', previous=step_0)
    labels = experiment(type='OldModelLabels', sizes=[0.25])
    with pytest.raises(InvalidInputError, match="'OldModelLabels'.* network of step 0: name its"):
        train_seam(labels, 1, tmp_path / 'labels')
    path = train_seam(labels, 1, tmp_path / 'labels', previous=step_0)
    model, meta = load_seam(labels, path)
    assert meta['ids'] == [5, 1, 2, 3, 4] and meta['helpers'] == [1, 2, 3, 4]
    assert model.num_classes == 5
    crops = experiment(type='BackgroundCrops', sizes=[0.25])
    found = load_seam(crops, train_seam(crops, 1, tmp_path / 'crops', previous=step_0))[1]
    assert found['ids'] == [5] and found['helpers'] == [] and found['images'] == meta['images']
    monkeypatch.setattr(seam_training, 'OldNetwork', None)
    assert train_seam(labels, 1, tmp_path / 'labels', True, previous=step_0) == path
    content = torch.load(step_0, weights_only=True)
    next(iter(content['state_dict'].values())).add_(1.0)
    torch.save(content, tmp_path / 'other.pth')
    with pytest.raises(InvalidInputError, match='started with network of the step before = '):
        train_seam(labels, 1, tmp_path / 'labels', True, previous=tmp_path / 'other.pth')


def test_the_network_before_sees_nothing(tiny_seam, step_0, tmp_path):
    """A base network of four iterations knows no class: the remedy is refused, not trained."""
    experiment = Experiment(
        tiny_seam(
            **{
                'seam.scope': 'step',
                'protocol.name': '4-1',
                'seam.negatives': dict(type='BackgroundCrops', confidence=1.0),
            }
        )
    )
    with pytest.raises(InvalidInputError, match='in none of the .* images is the network'):
        train_seam(experiment, 1, tmp_path / 'w', previous=step_0)
    assert [path.name for path in (tmp_path / 'w').iterdir()] == ['.lock']


TWO = """
import sys
from incseg.apis import load_config
from incseg.engine import Experiment, train_seam
from incseg.utils.distributed import end_launcher, init_launcher
config = load_config(sys.argv[1], {
    'data.train.length': 32, 'data.train.size': 32, 'seam.schedule.epochs': 1,
    'seam.schedule.batch_size': 8, 'seam.schedule.log_interval': 100})
init_launcher('pytorch')
train_seam(Experiment(config), 1, sys.argv[2])
end_launcher()
"""


def test_two_processes(tool_environment, free_port, tmp_path):
    """Two gloo processes train one network; every weight has its gradient in both."""
    root = tool_environment['PYTHONPATH']
    leaf = tmp_path / 'leaf.py'
    leaf.write_text(
        f"_base_ = ['{root}/configs/mib/bisenet_r18_shapes_4-1.py', "
        f"'{root}/configs/_base_/seam/shapes.py']\n"
    )
    (tmp_path / 'two.py').write_text(TWO)
    done = subprocess.run(
        [
            sys.executable,
            '-m',
            'torch.distributed.run',
            '--nproc-per-node',
            '2',
            '--master-port',
            free_port,
            str(tmp_path / 'two.py'),
            str(leaf),
            str(tmp_path / 'w'),
        ],
        env=tool_environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    meta = read_seam_checkpoint(tmp_path / 'w/seam.pth')['meta']
    assert meta['ids'] == [1, 2, 3, 4, 5, 6] and meta['images'] == 32
