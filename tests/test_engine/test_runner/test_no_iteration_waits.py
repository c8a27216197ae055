"""Between two lines of the log no iteration makes the CPU wait for the GPU."""

import pytest
from mmengine.hooks import Hook
from mmengine.runner import loops

from incseg.engine import Experiment, train_protocol, train_seam
from incseg.engine.weak import seam_training
from incseg.engine.weak.affinity import training as affinity
from incseg.registry import HOOKS
from tests.common.test_methods import BASES, OF_EACH_METHOD, toy
from tests.common.waits import DEVICE, stand_in
from tests.test_engine.test_weak.test_affinity.test_affinity_learning import Grains, growing


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
    check_training(toy(path, shared), tmp_path, monkeypatch)


@pytest.mark.filterwarnings('ignore:.*to a meta parameter')
@pytest.mark.parametrize(
    'options',
    [
        dict(memory=dict(size=8, batch_share=0.5)),
        dict(loss_decode=dict(type='OhemCrossEntropyLoss')),
    ],
    ids=['replay', 'OHEM'],
)
def test_training_with_parts(options, shared, tmp_path, monkeypatch):
    """If it fails, the GPU stands still where a memory or OHEM is put on top of a method."""
    config = toy(next(path for path in BASES if path.stem == 'lwf'), shared)
    config.method.update(options)
    check_training(config, tmp_path, monkeypatch)


def check_training(config, tmp_path, monkeypatch):
    """Train two steps on the stand-in; no iteration and no test image may wait."""
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


@pytest.mark.filterwarnings('ignore:.*to a meta parameter')
def test_training_of_seam(tiny_seam, tmp_path, monkeypatch):
    """If it fails, the GPU stands still in every iteration of SEAM."""
    config_of = seam_training.seam_runner_config

    def watched(*args, **kwargs):
        config = config_of(*args, **kwargs)
        config.custom_hooks.append(dict(type='CountWaits'))
        config.optim_wrapper.optimizer.update(fused=None, foreach=True)
        return config

    monkeypatch.setattr(seam_training, 'seam_runner_config', watched)
    options = {'seam.schedule.checkpoint_interval': 100, 'seam.schedule.epochs': 2}
    experiment = Experiment(tiny_seam(**options))
    with stand_in(monkeypatch) as device:
        CountWaits.device, CountWaits.found = device, []
        device.noting = True
        train_seam(experiment, 0, tmp_path / 'seam')
    assert len(CountWaits.found) >= 2 and not any(CountWaits.found), CountWaits.found


def test_training_of_affinity_net(monkeypatch):
    """If it fails, the GPU stands still in every iteration of AffinityNet, or a loss is lost."""
    config_of = affinity.optimizer_config
    unfused = dict(fused=None, foreach=True)
    monkeypatch.setattr(
        affinity, 'optimizer_config', lambda config, lr: config_of({**config, **unfused}, lr)
    )
    monkeypatch.setattr(affinity, 'READ_EVERY', 3)
    net = growing()
    read, counts = affinity.read_losses, []
    with stand_in(monkeypatch) as device:
        net.to(DEVICE)

        def reading(*args):
            counts.append(list(device.waits))
            read(*args)
            device.waits.clear()

        monkeypatch.setattr(affinity, 'read_losses', reading)
        with device.counting():
            losses = affinity.train_affinity(net, Grains(), epochs=4, batch_size=2, progress=False)
    assert len(losses) == 8 and len(counts) == 3 and not any(counts), counts
