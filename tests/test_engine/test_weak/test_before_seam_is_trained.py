"""Mistakes are reported before the first step is trained, and SEAM's images before its training."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from incseg.apis import load_config
from incseg.datasets.negatives import BackgroundCrops
from incseg.engine import Experiment, train_protocol
from incseg.engine.weak.seam_checks import check_start
from incseg.engine.weak.seam_training import describe_images
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
    """If it fails, the mistake is reported only after the base step and SEAM were trained."""
    monkeypatch.chdir(tmp_path)
    config = load_config(MIB_S, {**TINY, 'base_steps_dir': 'base', 'seam_dir': 'seam', **options})
    with pytest.raises(error, match=message):
        train_protocol(config, 'run')
    assert not list(tmp_path.iterdir())


def test_a_start_that_does_not_fit(tiny_seam, tmp_path):
    """If it fails, a file that is no step's checkpoint, or has another backbone, is reported only
    when SEAM starts."""
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
    """If it fails, a file of ImageNet weights is required although they are not used, or step 0's
    file before it is trained."""
    check_start(Experiment(tiny_seam(**{'seam.model.backbone': R38D})))
    check_start(Experiment(tiny_seam(**{'seam.init_from': 'step0'})))


def data(negatives=None, helpers=(), shown=(1, 1)):
    labels = np.zeros((374, 2 + len(helpers)), np.float32)
    labels[5, :2] = shown
    return SimpleNamespace(
        metainfo=dict(classes=('cross', 'star', *helpers)),
        helper_ids=tuple(helpers),
        indices=np.arange(374),
        negatives=negatives,
        image_labels=labels,
    )


def test_images_and_classes():
    """If it fails, the line before the training lacks the images, classes or scope."""
    assert describe_images(data(), 'all', 1) == (
        "SEAM, scope 'all': 374 images, 2 classes: cross, star"
    )
    assert describe_images(data(), 'step', 1).startswith("SEAM, scope 'step', step 1: 374 images")


def test_few_crops():
    """If it fails, nobody is warned of too few crops: 14 of 500 images taught a class nothing, 21
    of 299 little, 156 of 486 something."""
    crops = BackgroundCrops()
    crops.gather(None, range(374), [(0, 0, 4, 4)] * 21 + [None] * 353)
    assert describe_images(data(crops), 'step', 2).endswith(
        'found 21 crops in the 374 images '
        '(few: the network will hardly learn to distinguish the classes)'
    )


def test_a_class_that_nothing_shows():
    """If it fails, nobody is told that no image has a class, whose maps then mean nothing."""
    assert describe_images(data(shown=(1, 0)), 'all', 0).endswith(
        'classes: cross, star; no image shows star, whose maps will mean nothing'
    )


def test_negatives():
    """If it fails, nobody sees that hardly a crop was found."""
    crops = BackgroundCrops()
    crops.gather(None, range(374), [(0, 0, 4, 4)] * 41 + [None] * 333)
    assert describe_images(data(crops, ['disc']), 'step', 2).endswith(
        'classes: cross, star; negatives: BackgroundCrops found 41 crops in the 374 images; '
        'helper classes: disc'
    )
    assert describe_images(data(range(7)), 'step', 2).endswith('negatives: 7 images of range')
