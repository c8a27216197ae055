"""The lines of progress of a training and of an evaluation."""

import logging
import time
from collections.abc import Iterable
from typing import Any

from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import Hook, LoggerHook

from incseg.engine.work_left import WorkLeft
from incseg.registry import HOOKS
from incseg.utils.live_line import LiveLine, on_terminal

#: iterations whose mean is the pace: the first ones are slower
RECENT = 50
#: seconds after which an evaluation shows its first line
PATIENCE = 5.0


@HOOKS.register_module()
class ProgressHook(LoggerHook):
    """Log at an interval and at both ends, with the time left of the whole run.

    mmengine's hook is silent until the interval is over, which may take many minutes, and its
    time left ends with the step.  An evaluation shows its first line after five seconds.

    On a terminal a live line takes the place of these lines, which then go to the log file alone.
    It shows a loss as soon as somebody has read it, so no iteration waits for a GPU.

    Args:
        interval: Iterations between two lines.

    Attributes:
        work: The work of the whole run; None where there is only this training or evaluation.
        step: The step, where ``work`` is given.
    """

    work: WorkLeft | None = None
    step: int = 0

    def __init__(self, interval: int):
        super().__init__(interval)
        self._first = 1
        self._started: float | None = None
        self._line: LiveLine | None = None
        self._silenced: list[tuple[logging.Handler, int]] = []

    def before_train(self, runner: Any) -> None:
        self._first = runner.iter + 1
        self._begin_line(runner, 'step', 'training', runner.max_iters, runner.iter)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        done = batch_idx + 1
        self._tell_time_left(runner, 'train', runner.max_iters, done)
        if done in (self._first, runner.max_iters) or done % self.interval == 0:
            tag, text = runner.log_processor.get_log_after_iter(runner, batch_idx, 'train')
            runner.logger.info(text)
            runner.visualizer.add_scalars(tag, step=done, file_path=self.json_log_path)
        self._update_line(runner, 'train', done, data_batch)

    def after_train(self, runner: Any) -> None:
        self.end_line()

    def before_test_epoch(self, runner: Any) -> None:
        self._started = time.monotonic()
        images = len(runner.test_dataloader)
        self._begin_line(runner, 'evaluating step', 'evaluating', images, 0, stays=False)

    def after_test_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        done, images = batch_idx + 1, len(runner.test_dataloader)
        self._tell_time_left(runner, 'test', images, done)
        late = self._started is not None and time.monotonic() - self._started >= PATIENCE
        if late:
            self._started = None
        if late or done % self.interval == 0:
            runner.logger.info(
                runner.log_processor.get_log_after_iter(runner, batch_idx, 'test')[1]
            )
        self._update_line(runner, 'test', done, data_batch)

    def after_test_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        self.end_line()
        super().after_test_epoch(runner, metrics)

    def _begin_line(
        self, runner: Any, step: str, alone: str, total: int, done: int, stays: bool = True
    ) -> None:
        """Show a live line where a terminal is; the log's lines then go to its file alone."""
        if not (is_main_process() and on_terminal()):
            return
        text = alone if self.work is None else f'{step} {self.step} of {self.work.last}'
        for handler in runner.logger.handlers:
            if type(handler) is logging.StreamHandler:
                self._silenced.append((handler, handler.level))
                handler.setLevel(max(handler.level, logging.WARNING))
        self._line = LiveLine(text, total, done, stays)

    def _update_line(self, runner: Any, kind: str, done: int, data_batch: Any) -> None:
        if self._line is None:
            return
        hub = runner.message_hub
        each, loss = (
            hub.get_scalar(name).mean(RECENT) if name in hub.log_scalars else None
            for name in (f'{kind}/time', 'train/loss')
        )
        images = len((data_batch or {}).get('inputs', ())) * get_world_size()
        self._line.update(
            done,
            loss if kind == 'train' else None,
            images / each if images and each else None,
            hub.get_info('eta'),
        )

    def end_line(self) -> None:
        """End the live line, if there is one: at the end, and where an error ends the work."""
        if self._line is not None:
            self._line.close()
            self._line = None
        for handler, level in self._silenced:
            handler.setLevel(level)
        self._silenced = []

    def _tell_time_left(self, runner: Any, kind: str, iterations: int, done: int) -> None:
        """Replace the time left that mmengine's timer estimated, which is that of the step."""
        if self.work is None:
            return
        each = runner.message_hub.get_scalar(f'{kind}/time').mean(RECENT)
        left = self.work.seconds(self.step, kind, iterations, done, each)
        runner.message_hub.update_info('eta', left)


def show_work_left(hooks: Iterable[Hook], work: WorkLeft | None, step: int) -> None:
    """Let the lines of a Runner show the time left of the whole run.

    Args:
        hooks: The hooks of the Runner.
        work: The work of the run; None leaves the time left of the Runner alone.
        step: The step that the Runner trains or evaluates.
    """
    for hook in hooks:
        if isinstance(hook, ProgressHook):
            hook.work, hook.step = work, step
