"""SEAM's Runner and the making of labels follow the config."""

import pytest
import torch
from mmengine.optim import PolyLR

from incseg.engine import Experiment
from incseg.engine.weak.label_settings import SeamSettings
from incseg.engine.weak.seam_config import (
    from_imagenet,
    seam_dataset_config,
    seam_model_config,
    seam_pipeline,
    seam_runner_config,
)
from incseg.errors import InvalidInputError
from incseg.registry import DATASETS


@pytest.mark.parametrize(
    ('options', 'imagenet', 'momentum'),
    [
        ({'pretrained': True}, True, 0.0),
        ({'pretrained': False}, False, 0.9),
        ({'pretrained': True, 'seam.init_from': 'step0'}, False, 0.9),
    ],
)
def test_frozen_and_momentum_follow_the_start(options, imagenet, momentum, tiny_seam):
    """If it fails, training from ImageNet is not frozen or has momentum, or another start is frozen
    or has none."""
    experiment = Experiment(tiny_seam(**options))
    assert from_imagenet(experiment) is imagenet
    assert seam_model_config(experiment, 3)['frozen'] is imagenet
    config = seam_runner_config(experiment, 1, 20, 3, 'w')
    assert config.optim_wrapper.optimizer.momentum == momentum
    assert config.model.backbone.pretrained is imagenet


def test_weights_are_loaded_once(tiny_seam):
    """If it fails, ImageNet weights are loaded again for inference or a resumed training, or the
    latter is not frozen."""
    experiment = Experiment(tiny_seam(pretrained=True))
    assert seam_model_config(experiment, 3)['backbone']['pretrained'] is False
    resumed = seam_runner_config(experiment, 1, 20, 3, 'w', resume_from='w/resume.pth')
    assert resumed.model.backbone.pretrained is False and resumed.model.frozen is True


def test_frozen_of_the_config_wins(tiny_seam):
    """If it fails, a config's own ``frozen`` is overridden."""
    experiment = Experiment(tiny_seam(**{'pretrained': True, 'seam.model.frozen': False}))
    assert seam_model_config(experiment, 3)['frozen'] is False


def test_pipeline_loads_no_labels():
    """If it fails, SEAM reads masks, or its transforms are out of order."""
    steps = seam_pipeline({'a': dict(type='A'), 'b': None}, 0.5)
    assert [step['type'] for step in steps] == ['LoadImage', 'Resize', 'A', 'PackSegInputs']
    assert len(seam_pipeline({}, 1.0)) == 2


def test_images_of_a_step(tiny_seam):
    """If it fails, step, scope or data do not come from the config."""
    experiment = Experiment(tiny_seam(**{'seam.scope': 'step'}))
    dataset = DATASETS.build(seam_dataset_config(experiment, 1))
    assert dataset.class_ids == (5, 6) and len(dataset.dataset) == 32


def test_schedule_is_poly_per_iteration(tiny_seam):
    """If it fails, the rate of a group is not lr (1 - t / T)^0.9 at the update of iteration t."""
    experiment = Experiment(tiny_seam(**{'seam.schedule.epochs': 3}))
    config = seam_runner_config(experiment, 1, 20, 3, 'w')
    total = config.train_cfg.max_iters
    assert total == 6, '20 images: 2 whole batches, three times'
    assert config.optim_wrapper.paramwise_cfg == dict(head_factor=2.0)
    rates = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    optimizer = torch.optim.SGD(
        [dict(params=[rate], lr=lr) for rate, lr in zip(rates, (0.01, 0.1))], lr=1.0
    )
    poly = dict(config.param_scheduler[0])
    assert poly.pop('type') == 'PolyLR'
    scheduler = PolyLR(optimizer, **poly)
    for t in range(total):
        assert [group['lr'] for group in optimizer.param_groups] == pytest.approx(
            [lr * (1 - t / total) ** 0.9 for lr in (0.01, 0.1)]
        )
        optimizer.step()
        scheduler.step()


MODEL = dict(type='Net', depth='$depth')


def test_defaults_and_settings():
    """If it fails, an option loses its default or replaces others, or a '$name' is not looked
    up."""
    settings = SeamSettings.of(
        dict(depth=50, seam=dict(model=MODEL, inference=dict(batch_size=2), epochs=8))
    )
    assert settings.model == dict(type='Net', depth=50)
    assert settings.image_labels == dict(type='MaskImageLabels')
    assert settings.refine == dict(type='NoRefinement')
    assert settings.inference['batch_size'] == 2
    assert tuple(settings.inference['scales']) == (0.5, 1.0, 1.5, 2.0)
    assert settings.inference['background'] == dict(mode='const', value=0.26)


def test_defaults_are_not_shared():
    """If it fails, one config's settings become the next one's defaults."""
    first = SeamSettings.of(dict(depth=1, seam=dict(model=MODEL)))
    first.inference['batch_size'] = 99
    assert SeamSettings.of(dict(depth=1, seam=dict(model=MODEL))).inference['batch_size'] is None


@pytest.mark.parametrize(
    ('seam', 'message'),
    [
        (
            dict(inference=dict(scale=[1.0])),
            r"unknown key 'seam\.inference\.scale' of seam.inference; did you mean",
        ),
        (dict(inference=3), 'seam.inference is 3, expected a dict'),
        (
            dict(inference=dict(batch_size=0)),
            r'seam\.inference\.batch_size is 0, expected .*, or None',
        ),
        (dict(inference=dict(num_threads=0.5)), r'seam\.inference\.num_threads is 0\.5, expected'),
        (dict(inference=dict(num_threads=None)), r'seam\.inference\.num_threads is None, expected'),
        (
            dict(inference=dict(score_stride=0)),
            r'seam\.inference\.score_stride is 0, expected a whole',
        ),
        (
            dict(inference=dict(scores='no')),
            r"seam\.inference\.scores is 'no', expected True or False",
        ),
        (
            dict(inference=dict(uncertain=-3)),
            r'inference\.uncertain is -3, expected a number from 0',
        ),
        (dict(inference=dict(uncertain=2)), r'seam\.inference\.uncertain is 2, expected'),
        (dict(inference=dict(uncertain='a')), r"seam\.inference\.uncertain is 'a', expected"),
        (dict(inference=dict(scales=None)), r'seam\.inference\.scales is None, expected a list'),
        (dict(inference=dict(scales=('a',))), r"seam\.inference\.scales is \('a',\), expected"),
        (dict(inference=dict(maps='x')), r"inference\.maps is 'x', expected 'cam' or 'refined'"),
        (dict(inference=dict(flip='x')), r"seam\.inference\.flip is 'x', expected True or False"),
        (
            dict(inference=dict(background=3)),
            r'seam\.inference\.background is 3, expected dict.mode',
        ),
        (
            dict(inference=dict(background=dict(mode='const', value=3))),
            r'seam\.inference\.background: background\.value is 3, expected a score of 0 to 1',
        ),
        (
            dict(inference=dict(background=dict(mode='score'))),
            r"seam\.inference\.background\.mode is 'score', expected 'const' or 'pow'",
        ),
    ],
)
def test_mistakes_in_inference(seam, message):
    """If it fails, a mistake is reported without its key or value."""
    with pytest.raises(InvalidInputError, match=message):
        SeamSettings.of(dict(depth=50, seam=dict(model=MODEL, **seam)))


def test_no_seam():
    """If it fails, labels are made for a dense experiment, which has no network to make them
    with."""
    for config in (dict(), dict(seam=None), dict(seam=dict(scope='step'))):
        with pytest.raises(InvalidInputError, match="the config has no 'seam.model'"):
            SeamSettings.of(config)
