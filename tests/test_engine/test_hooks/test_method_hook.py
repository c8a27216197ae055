"""A method's hook: told its name, remembered from step to step and over an interruption."""

import pytest
import torch
from mmengine.hooks import Hook

from incseg.engine import train_protocol
from incseg.engine.checkpoint import read_checkpoint
from incseg.engine.hooks import MethodHook
from incseg.errors import InvalidInputError
from incseg.registry import HOOKS


@HOOKS.register_module()
class CountingHook(MethodHook):
    """Counts iterations over all steps; remembers the count."""

    def before_train(self, runner):
        start = self.resumed_state if self.resumed_state is not None else self.previous_state
        self.count = start.get('count', torch.zeros(()))

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.count = self.count + 1

    def state(self):
        return dict(count=self.count)


@HOOKS.register_module()
class StopHook(Hook):
    """Breaks off the first training of step 1 after three iterations."""

    priority = 'LOWEST'
    armed = False

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if type(self).armed and 'step_1' in runner.work_dir and batch_idx == 2:
            type(self).armed = False
            raise KeyboardInterrupt


def config(tiny, **options):
    made = tiny('ft', **options)
    made.method['hooks'] = dict(counter=dict(type='CountingHook'))
    return made


def test_state_goes_from_step_to_step(tiny, tmp_path):
    """If it fails, a method's importance is forgotten between two steps."""
    train_protocol(config(tiny), tmp_path / 'run')
    base, first, second = (
        read_checkpoint(tmp_path / 'run' / f'step_{k}' / 'final.pth') for k in range(3)
    )
    assert 'method_state' not in base  # it takes no part in the base step
    done = float(first['method_state']['counter']['count'])
    assert done > 0
    assert float(second['method_state']['counter']['count']) > done


def test_state_survives_an_interruption(tiny, tmp_path):
    """If it fails, a resumed step ends with another importance than an uninterrupted one."""
    whole, cut = tmp_path / 'whole', tmp_path / 'cut'
    made = config(tiny, epochs=2)
    made.custom_hooks = dict(stop=dict(type='StopHook'))
    train_protocol(made, whole)
    StopHook.armed = True
    with pytest.raises(KeyboardInterrupt):
        train_protocol(made, cut)
    train_protocol(made, cut, resume=True)
    counts = [
        float(read_checkpoint(path / 'step_2' / 'final.pth')['method_state']['counter']['count'])
        for path in (whole, cut)
    ]
    assert counts[0] == counts[1] > 0


def test_another_hook_is_refused(tiny):
    """If it fails, a plain hook under method.hooks dies at the arguments the engine adds."""
    from incseg.apis.config.check import check_config

    made = tiny('ft')
    made.method['hooks'] = dict(paint=dict(type='PaintHook', folder='x', palette=[]))
    with pytest.raises(InvalidInputError, match='method.hooks.paint.*custom_hooks'):
        check_config(made)
