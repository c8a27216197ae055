"""SEAM is trained on the image-level labels of a step, in one process or several."""

import subprocess
import sys

import pytest
import torch

from incseg.engine import Experiment, train_seam
from incseg.engine.weak.seam_store import load_seam, read_seam_checkpoint
from incseg.errors import InvalidInputError, MissingFileError


def test_what_is_written(tiny_seam, tmp_path):
    """If it fails, weights do not load, or the meta does not tell the meaning and origin of the
    maps."""
    experiment = Experiment(tiny_seam(**{'seam.scope': 'step'}))
    path = train_seam(experiment, 1, tmp_path / 'w')
    assert path == tmp_path / 'w/seam.pth' and not (tmp_path / 'w/resume.pth').exists()
    model, meta = load_seam(experiment, path)
    images = meta.pop('images')
    assert meta.pop('incseg_version') and 8 <= images < 32
    for key in ('format', 'kind', 'tensors', 'digest'):  # of every file
        assert meta.pop(key)
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


def test_backbone_starts_from_step_0(tiny_seam, step_0, tmp_path):
    """If it fails, the backbone does not start from step 0's context path, or the file does not say
    so."""
    options = {'seam.init_from': 'step0', 'seam.schedule.lr': 1e-12}
    experiment = Experiment(tiny_seam(**options))
    with pytest.raises(InvalidInputError, match="init_from is 'step0', but no step 0"):
        train_seam(experiment, 1, tmp_path / 'w')
    with pytest.raises(MissingFileError, match='no checkpoint at .*final.pth'):
        train_seam(experiment, 1, tmp_path / 'w', step0=tmp_path / 'step_0/final.pth')
    content = read_seam_checkpoint(train_seam(experiment, 1, tmp_path / 'w', step0=step_0))
    assert content['meta']['init_from'] == 'step0' and content['meta']['pretrained'] is False
    theirs = torch.load(step_0, weights_only=True)['state_dict']
    for name in ('conv1.weight', 'layer3.1.conv2.weight'):
        torch.testing.assert_close(
            content['state_dict'][f'backbone.{name}'],
            theirs[f'backbone.context_path.resnet.{name}'],
            rtol=0,
            atol=1e-9,
        )


def test_mistakes(tiny, tiny_seam, tmp_path):
    """If it fails, a missing section, a wrong step or a step that cannot be learned ends in a
    traceback or a training."""
    with pytest.raises(InvalidInputError, match="has no 'seam': add one of configs/_base_/seam"):
        train_seam(Experiment(tiny()), 1, tmp_path)
    with pytest.raises(InvalidInputError, match='--step is 5, expected 0 to 1: mib 4-2 has 2 step'):
        train_seam(Experiment(tiny_seam()), 5, tmp_path)
    experiment = Experiment(tiny_seam(**{'seam.scope': 'step', 'protocol.name': '4-1'}))
    with pytest.raises(InvalidInputError, match='shows cross, so nothing tells'):
        train_seam(experiment, 1, tmp_path)
    assert not list(tmp_path.glob('*.pth'))


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
    """If it fails, two processes do not train one network, or a weight has no gradient in one of
    them."""
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
