import pytest
import torch

from incseg.engine import Experiment
from incseg.engine.recipe.step import config_for_step, optimizer_config
from incseg.engine.weak.seam_config import seam_runner_config


@pytest.mark.parametrize(
    'optimizer, fused',
    [
        (dict(type='SGD', momentum=0.9), True),
        (dict(type='AdamW'), True),
        (dict(type='SGD', fused=False), False),
        (dict(type='Rprop'), None),
        (dict(type='SGD', foreach=True), None),
    ],
)
def test_optimizer_in_one_pass(optimizer, fused):
    """If it fails, every parameter is updated by operations of its own, or torch refuses."""
    settings = optimizer_config(optimizer, 0.1)
    assert settings.get('fused') == fused and settings['lr'] == 0.1
    weight = torch.nn.Parameter(torch.ones(3))
    weight.grad = torch.ones(3)
    kind = getattr(torch.optim, settings.pop('type'))
    kind([weight], **settings).step()
    assert (weight < 1).all()


def test_every_training_logs_and_saves_alike(tiny, tiny_seam):
    """Steps and SEAM: at the intervals of the schedule, into the folder; mmengine's sampler off."""
    steps = Experiment(tiny(**{'schedule.log_interval': 7, 'schedule.checkpoint_interval': 9}))
    seam = Experiment(
        tiny_seam(**{'seam.schedule.log_interval': 7, 'seam.schedule.checkpoint_interval': 9})
    )
    expected = dict(
        sampler_seed=None,
        logger=dict(type='LoggerHook', interval=7),
        runtime_info=dict(type='LossLogHook', step=0, intervals=[7, 9]),
        checkpoint=dict(type='SafeCheckpointHook', path='w/resume.pth', interval=9),
    )
    assert config_for_step(steps, 0, 20, 'w').default_hooks.to_dict() == expected
    assert seam_runner_config(seam, 0, 20, 3, 'w').default_hooks.to_dict() == expected
