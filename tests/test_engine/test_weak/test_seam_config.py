import pytest
import torch
from mmengine.optim import PolyLR

from incseg.engine import Experiment
from incseg.engine.weak.seam_config import (
    from_imagenet,
    seam_dataset_config,
    seam_model_config,
    seam_pipeline,
    seam_runner_config,
)
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
    """Fine-tuning from ImageNet freezes and has no momentum; any other start neither."""
    experiment = Experiment(tiny_seam(**options))
    assert from_imagenet(experiment) is imagenet
    assert seam_model_config(experiment, 3)['frozen'] is imagenet
    config = seam_runner_config(experiment, 1, 20, 3, 'w')
    assert config.optim_wrapper.optimizer.momentum == momentum
    assert config.model.backbone.pretrained is imagenet


def test_weights_are_loaded_once(tiny_seam):
    """Not for inference, and not when resuming: but what is frozen stays frozen."""
    experiment = Experiment(tiny_seam(pretrained=True))
    assert seam_model_config(experiment, 3)['backbone']['pretrained'] is False
    resumed = seam_runner_config(experiment, 1, 20, 3, 'w', resume_from='w/resume.pth')
    assert resumed.model.backbone.pretrained is False and resumed.model.frozen is True


def test_frozen_may_be_said(tiny_seam):
    """A config's own word wins."""
    experiment = Experiment(tiny_seam(**{'pretrained': True, 'seam.model.frozen': False}))
    assert seam_model_config(experiment, 3)['frozen'] is False


def test_pipeline_loads_no_labels():
    """Loading, the data set's own scale, the named ones in order, packing."""
    steps = seam_pipeline({'a': dict(type='A'), 'b': None}, 0.5)
    assert [step['type'] for step in steps] == ['LoadImage', 'Resize', 'A', 'PackSegInputs']
    assert len(seam_pipeline({}, 1.0)) == 2


def test_dataset(tiny_seam):
    """Step, scope and data come from the config."""
    experiment = Experiment(tiny_seam(**{'seam.scope': 'step'}))
    dataset = DATASETS.build(seam_dataset_config(experiment, 1))
    assert dataset.class_ids == (5, 6) and len(dataset.dataset) == 32


def test_schedule_is_poly_per_iteration(tiny_seam):
    """lr (1 - t / T)^0.9, set before the update of iteration t, for every group."""
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
