"""What stops the labels of a step is said before anything is trained."""

from pathlib import Path

import pytest
import torch

from incseg.apis import load_config
from incseg.engine import Experiment, train_protocol
from incseg.engine.weak.seam_training import check_start
from incseg.errors import InvalidInputError, MissingFileError
from tests.conftest import TINY

MIB_S = Path(__file__).parents[3] / 'configs/mib_s/bisenet_r18_shapes_4-2.py'
WALK = dict(
    type='AffinityRandomWalk',
    checkpoint='none.pth',
    net=dict(type='AffinityNet', backbone=dict(type='ResNet', depth=18)),
)
R38D = dict(
    type='ResNet38d', width=2, pretrained='$pretrained', norm_cfg='$norm_cfg', weights='none.pth'
)


@pytest.mark.parametrize(
    ('options', 'error', 'message'),
    [
        ({'seam.refine': WALK}, MissingFileError, r'no checkpoint of an AffinityNet at none\.pth'),
        (
            {'seam.init_from': 'none.pth'},
            MissingFileError,
            r'seam.init_from: no checkpoint at none\.p',
        ),
        (
            {'seam.inference.scales': (1.0, 0.01)},
            InvalidInputError,
            'at scale 0.01 .* nothing is left of an image of 32 x 32 pixels',
        ),
        (
            {'seam.model.backbone': R38D, 'pretrained': True},
            MissingFileError,
            r'seam.model.backbone.weights: no file at none\.pth',
        ),
    ],
)
def test_before_the_base_step(options, error, message, tmp_path, monkeypatch):
    """If it fails, the mistake comes up after the base step and SEAM were trained."""
    monkeypatch.chdir(tmp_path)
    config = load_config(MIB_S, {**TINY, 'base_steps_dir': 'base', 'seam_dir': 'seam', **options})
    with pytest.raises(error, match=message):
        train_protocol(config, 'run')
    assert not list(tmp_path.iterdir())


def test_a_start_that_does_not_fit(tiny_seam, tmp_path):
    """No step's network, or one of another backbone, is found out before SEAM is to start."""
    path = tmp_path / 'start.pth'
    experiment = Experiment(tiny_seam(**{'seam.init_from': str(path)}))
    torch.save(dict(weight=torch.zeros(1)), path)
    with pytest.raises(InvalidInputError, match=r"start.pth is not a step's final.pth"):
        check_start(experiment)
    torch.save(
        dict(
            state_dict={'backbone.conv1.weight': torch.zeros(1)},
            meta=dict(
                incseg_version='0', method='mib', protocol={}, step=0, classes=[], palette=[]
            ),
        ),
        path,
    )
    with pytest.raises(InvalidInputError, match='start.pth has no ResNet of this depth'):
        check_start(experiment)


def test_weights_that_are_not_wanted(tiny_seam):
    """Without ImageNet weights their file is not asked for; step 0's is made by the training."""
    check_start(Experiment(tiny_seam(**{'seam.model.backbone': R38D})))
    check_start(Experiment(tiny_seam(**{'seam.init_from': 'step0'})))
