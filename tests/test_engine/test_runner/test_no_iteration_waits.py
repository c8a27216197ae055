"""Between two lines of the log no iteration makes the CPU wait for the GPU."""

import pytest
from mmengine.hooks import Hook
from mmengine.runner import loops

from incseg.engine import Experiment, train_protocol
from incseg.registry import HOOKS
from tests.common.test_methods import OF_EACH_METHOD, toy
from tests.common.waits import stand_in


@HOOKS.register_module(force=True)
class CountWaits(Hook):
    """Notes the waits from one iteration's last hook to the next one's, but for both ends."""

    priority = 'LOWEST'
    device = None
    found: list = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if 0 < batch_idx < runner.max_iters - 1:
            CountWaits.found.append(list(CountWaits.device.waits))
        CountWaits.device.waits.clear()


@pytest.fixture(scope='module')
def shared(tmp_path_factory):
    return tmp_path_factory.mktemp('base_steps')


@pytest.mark.filterwarnings('ignore:.*to a meta parameter')
@OF_EACH_METHOD
def test_training(path, shared, tmp_path, monkeypatch):
    """If it fails, the GPU stands still in every iteration until the CPU has read a number.

    The first and the last iteration have a line in the log; an evaluation waits at its end.
    """
    config = toy(path, shared)
    config.custom_hooks = dict(count=dict(type='CountWaits'))
    config.schedule.checkpoint_interval = 100
    config.schedule.optimizer.update(fused=None, foreach=True)
    counted = loops.TestLoop.run_iter
    images = []

    def run_iter(self, *args):
        with device.counting() as waits:
            counted(self, *args)
        images.append(list(waits))

    with stand_in(monkeypatch) as device:
        monkeypatch.setattr(loops.TestLoop, 'run_iter', run_iter)
        CountWaits.device, CountWaits.found = device, []
        device.noting = True
        train_protocol(config, tmp_path / 'run', range(min(2, Experiment(config).num_steps)))
    assert len(CountWaits.found) >= 2 and not any(CountWaits.found), CountWaits.found
    assert len(images) >= 4 and not any(images), images
