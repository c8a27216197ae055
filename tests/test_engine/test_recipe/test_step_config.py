import pytest
import torch
from mmengine.optim import PolyLR

from incseg.engine import Experiment
from incseg.engine.recipe.step import config_for_step, config_for_test, lr_schedule, optimizer_parts
from incseg.errors import InvalidInputError


def test_step_config(tiny):
    """Iterations, learning rate, schedule and hooks of a step follow from what is said once."""
    experiment = Experiment(tiny(epochs=[3, 2], batch_size=8))
    config = config_for_step(experiment, 1, 20, 'w', previous='p.pth')
    assert config.train_cfg.max_iters == 4, '20 images: 2 whole batches, twice'
    assert config.optim_wrapper.optimizer.lr == experiment.config.schedule.lr.added
    assert config_for_step(experiment, 0, 20, 'w').optim_wrapper.optimizer.lr == (
        experiment.config.schedule.lr.base
    )
    hooks = {hook.type: hook for hook in config.custom_hooks}
    assert hooks['IncrementalHook'].previous == 'p.pth'
    assert 'IncrementalHook' not in {
        hook.type for hook in config_for_step(experiment, 0, 20, 'w').custom_hooks
    }
    assert config_for_step(experiment, 0, 5, 'w').train_cfg.max_iters == 3, 'one short batch each'
    names = {config_for_step(experiment, 0, 5, 'w').experiment_name for _ in range(3)}
    assert len(names) == 3, "mmengine's global instances go by this name"


def test_learning_rate_decays_by_the_poly_rule(tiny):
    """lr0 * (1 - it / max) ** 0.9 at every iteration; one that never moves is a known bug."""
    config = config_for_step(Experiment(tiny(epochs=5)), 0, 16, 'w')
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=2.0)
    spec = dict(config.param_scheduler[0])
    assert spec.pop('type') == 'PolyLR'
    scheduler = PolyLR(optimizer, **spec)
    rates = []
    for _ in range(10):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        scheduler.step()
    assert rates == pytest.approx([2 * (1 - it / 10) ** 0.9 for it in range(10)])


def test_unknown_eval_mode(tiny):
    """The modes the data offer are listed."""
    config = tiny()
    config.eval_mode = 'cropped'
    with pytest.raises(InvalidInputError, match=r"'cropped', allowed: \['whole'\]"):
        config_for_test(Experiment(config), 0, 'w')


def test_batch_that_processes_cannot_share(tiny, monkeypatch):
    """batch_size is the total: 3 processes cannot share 8 images equally."""
    monkeypatch.setattr('incseg.engine.recipe.step.get_world_size', lambda: 3)
    with pytest.raises(InvalidInputError, match='batch_size is 8, which 3 processes cannot share'):
        config_for_step(Experiment(tiny()), 0, 20, 'w')


def test_warmup_is_for_added_steps(tiny_wilson):
    """If it fails, step 0 is another for a method with a warm-up, or the rate decays too early."""
    experiment = Experiment(tiny_wilson(epochs=[3, 4], warmup_epochs=1))
    assert lr_schedule(experiment, 0, 30)['type'] == 'PolyLR'
    held = lr_schedule(experiment, 1, 40)
    assert held.pop('type') == 'HeldPolyLR'
    assert held == dict(num_iters=40, power=0.9, hold=10, begin=0, end=41, by_epoch=False)
    assert optimizer_parts(experiment.config['schedule'], 0) == {}
    parts = optimizer_parts(experiment.config['schedule'], 1)
    assert parts['paramwise_cfg']['lr_factors']['target_labeller'] == 10
