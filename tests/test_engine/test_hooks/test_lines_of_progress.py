"""The first line comes after the first iteration, and every line tells the end of the run."""

from types import SimpleNamespace

import pytest
from mmengine.hooks import IterTimerHook
from mmengine.logging import MessageHub, MMLogger

from incseg.engine.hooks import ProgressHook, progress, show_work_left
from incseg.engine.work_left import WorkLeft


class Lines:
    """Takes the place of a Runner and its log."""

    def __init__(self, iterations, start=0):
        self.iter, self.max_iters = start, iterations
        self.test_dataloader = self.train_dataloader = range(iterations)
        self.message_hub = MessageHub('lines')
        self.hooks = []
        self.at: list[int] = []
        self.log_processor = SimpleNamespace(get_log_after_iter=lambda _, i, mode: ({}, str(i + 1)))
        self.logger = SimpleNamespace(info=lambda text: self.at.append(int(text)))
        self.visualizer = SimpleNamespace(add_scalars=lambda *_, **__: None)

    def train(self, hook):
        hook.before_train(self)
        for i in range(self.iter, self.max_iters):
            self.iter = i
            self.message_hub.update_scalar('train/time', 2.0)
            hook.after_train_iter(self, i)

    @property
    def eta(self):
        return self.message_hub.get_info('eta')


@pytest.mark.parametrize(
    ('start', 'interval', 'lines'),
    [(0, 4, [1, 4, 8, 9]), (0, 1000, [1, 9]), (5, 4, [6, 8, 9]), (0, 1, [*range(1, 10)])],
)
def test_lines_of_a_training(start, interval, lines):
    """If it fails, nothing is seen before the interval is over, or nothing of it after that."""
    runner = Lines(9, start)
    runner.train(ProgressHook(interval))
    assert runner.at == lines


def test_the_time_left_is_that_of_the_run():
    """If it fails, each line promises the end of the step."""
    runner, hook = Lines(10), ProgressHook(50)
    runner.hooks = [hook, IterTimerHook()]
    show_work_left(runner.hooks, WorkLeft({0: 80, 1: 40}, {0: 12, 1: 12}), 0)
    runner.iter = 3
    runner.message_hub.update_scalar('train/time', 2.0)
    hook.after_train_iter(runner, 3)
    assert runner.eta == pytest.approx(6 * 2 + 1 + 10 + 1)


def test_a_single_training_keeps_its_own_time_left():
    """SEAM trains by itself: mmengine's estimate stays."""
    runner, hook = Lines(10), ProgressHook(50)
    runner.message_hub.update_info('eta', 7.0)
    runner.train(hook)
    assert runner.eta == 7.0


@pytest.mark.parametrize(('seconds', 'lines'), [(0.1, [8]), (2.0, [3, 8]), (30.0, [1, 8])])
def test_lines_of_an_evaluation(monkeypatch, seconds, lines):
    """A long one shows a line after five seconds; a short one only those of its interval."""
    clock = iter(range(100))
    monkeypatch.setattr(progress.time, 'monotonic', lambda: seconds * next(clock))
    runner, hook = Lines(9), ProgressHook(8)
    hook.before_test_epoch(runner)
    for i in range(9):
        hook.after_test_iter(runner, i)
    assert runner.at == lines


def test_real_lines(tiny, tmp_path, monkeypatch):
    """If it fails, a training or an evaluation does not get its work, or shows no time left."""
    from incseg.engine import train_protocol

    asked: dict[tuple[int, str], None] = {}
    seconds = WorkLeft.seconds

    def ask(self, step, kind, *rest):
        asked[step, kind] = None
        return seconds(self, step, kind, *rest)

    lines: list[str] = []
    monkeypatch.setattr(WorkLeft, 'seconds', ask)
    monkeypatch.setattr(MMLogger, 'callHandlers', lambda _, it: lines.append(it.getMessage()))
    train_protocol(tiny(**{'schedule.log_interval': 1000}), tmp_path / 'run', reuse=False)
    shown = [line for line in lines if line.startswith('Iter(train)')]
    assert [line[13:16] for line in shown] == ['1/4', '4/4', '1/2', '2/2', '1/2', '2/2']
    assert all('eta: ' in line and 'loss: ' in line for line in shown)
    assert [*asked] == [(k, kind) for k in range(3) for kind in ('train', 'test')]
