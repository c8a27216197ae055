"""The learning-rate schedule is a registered choice of the config, poly by default."""

import json
import math
import re

import pytest
import torch
from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin
from mmengine.optim.scheduler.param_scheduler import _ParamScheduler

from incseg.engine import Experiment, train_protocol
from incseg.engine.recipe.step import lr_schedule
from incseg.errors import InvalidInputError
from incseg.registry import PARAM_SCHEDULERS


@PARAM_SCHEDULERS.register_module(force=True)
class HalvesLR(LRSchedulerMixin, _ParamScheduler):
    """The user's own schedule: half the learning rate from a share of the training on."""

    def __init__(self, optimizer, num_iters, share, **kwargs):
        self.start = num_iters * share
        super().__init__(optimizer, **kwargs)

    def _get_value(self):
        return [lr * (0.5 if self.last_step >= self.start else 1) for lr in self.base_values]


def rates(work_dir, step):
    """Return the learning rate of every iteration, as the Runner's log has it."""
    [log] = (work_dir / f'step_{step}').glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [line['lr'] for line in lines if 'lr' in line]


CASES = {
    'poly': (None, lambda t, n: (1 - t / n) ** 0.9),
    'poly of another power': (dict(type='PolyLR', power=1.0), lambda t, n: 1 - t / n),
    'held': (
        dict(type='HeldPolyLR', hold=2),
        lambda t, n: 1.0 if t < 2 else (1 - t / n) ** 0.9,
    ),
    'cosine': (
        dict(type='CosineAnnealingLR'),
        lambda t, n: (1 + math.cos(math.pi * t / (n + 1))) / 2,
    ),
    'own': (dict(type='HalvesLR', share=0.5), lambda t, n: 1.0 if t < n / 2 else 0.5),
}


@pytest.mark.parametrize(('choice', 'curve'), CASES.values(), ids=CASES)
def test_a_schedule_of_the_config(choice, curve, tiny):
    """If it fails, another schedule than poly needs an edit of the library."""
    experiment = Experiment(tiny(**{'schedule.lr_schedule': choice}))
    for k in (0, 1):
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
        schedule = PARAM_SCHEDULERS.build(
            lr_schedule(experiment, k, 8), default_args=dict(optimizer=optimizer)
        )
        values = []
        for _ in range(8):
            values += [group['lr'] for group in optimizer.param_groups]
            optimizer.step()
            schedule.step()
        assert values == pytest.approx([0.1 * curve(t, 8) for t in range(8)], rel=1e-6)


def test_a_training_with_the_users_own_schedule(tiny, tmp_path):
    """If it fails, the Runner takes another schedule than the config's."""
    choice = dict(type='HalvesLR', share=0.5)
    config = tiny(**{'epochs': 2, 'schedule.lr_schedule': choice, 'schedule.log_interval': 1})
    train_protocol(config, tmp_path / 'run', steps=[0], reuse=False)
    values, lr = rates(tmp_path / 'run', 0), config.schedule.lr.base
    half = len(values) // 2
    assert half and values == pytest.approx([lr] * half + [lr / 2] * half)


def test_the_default_is_poly(tiny, tiny_wilson):
    """If it fails, a base step that is shared already is trained again."""
    assert lr_schedule(Experiment(tiny()), 0, 10) == dict(
        type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=11, by_epoch=False
    )
    held = lr_schedule(Experiment(tiny_wilson(epochs=[3, 4], warmup_epochs=1)), 1, 40)
    assert (held['type'], held['hold'], held['num_iters'], held['power']) == (
        'HeldPolyLR',
        10,
        40,
        0.9,
    )
    explicit = tiny_wilson(warmup_epochs=1, **{'schedule.lr_schedule.type': 'HeldPolyLR'})
    assert lr_schedule(Experiment(explicit), 1, 40) == dict(held, hold=20)
    assert lr_schedule(Experiment(explicit), 0, 40)['hold'] == 0, 'warm-up is for added steps'


#: the key in a message, as the section ``seam`` has it
SEAM = re.compile(r'schedule(?=\.lr_schedule)')


@pytest.mark.parametrize(
    ('choice', 'message'),
    [
        (dict(type='NoLR'), "schedule.lr_schedule.type is 'NoLR', expected a registered type"),
        ('poly', r"schedule.lr_schedule is 'poly', expected dict\(type="),
        (dict(type='PolyLR', pwoer=1), "unknown key 'schedule.lr_schedule.pwoer' of PolyLR"),
        (dict(type='StepLR'), "schedule.lr_schedule cannot be built: .*'step_size'"),
        (dict(type='PolyLR', begin=5, end=5), 'schedule.lr_schedule cannot be built: .*end'),
        (dict(type='PolyLR', by_epoch=True), 'lr_schedule.by_epoch is True, expected False'),
    ],
)
def test_mistakes(choice, message, tiny, tiny_seam):
    """If it fails, a schedule that cannot be built is noticed when the data were read."""
    with pytest.raises(InvalidInputError, match=message):
        tiny(**{'schedule.lr_schedule': choice})
    with pytest.raises(InvalidInputError, match=SEAM.sub('seam.schedule', message)):
        tiny_seam(**{'seam.schedule.lr_schedule': choice})


def test_a_schedule_of_seam(tiny_seam):
    """If it fails, SEAM knows no other schedule than poly."""
    from incseg.engine.weak.seam_config import seam_runner_config

    options = {'seam.schedule.lr_schedule': dict(type='CosineAnnealingLR')}
    [default], [cosine] = (
        seam_runner_config(Experiment(tiny_seam(**each)), 0, 16, 4, 'w').param_scheduler
        for each in ({}, options)
    )
    assert dict(default) == dict(
        type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=3, by_epoch=False
    )
    assert dict(cosine) == dict(type='CosineAnnealingLR', begin=0, end=3, by_epoch=False)


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('schedule.lr.base', 1e-300),
        ('schedule.lr.added', 1e300),
        ('schedule.lr_factors', {'backbone': 1e-300}),
        ('schedule.poly_power', -1),
    ],
)
def test_rates_that_are_none(tiny, key, value):
    """If it fails, a training changes no weight, or ends in NaN, for a slip of the pen."""
    with pytest.raises(InvalidInputError, match=f'{key} is .*, expected '):
        tiny(**{key: value})
