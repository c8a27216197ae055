from collections.abc import Sequence
from typing import Any

import torch
from mmengine.hooks import RuntimeInfoHook

from incseg.engine.hooks.method_hook import MethodHook
from incseg.errors import NonFiniteLossError
from incseg.registry import HOOKS


@HOOKS.register_module()
class LossLogHook(RuntimeInfoHook):
    """Logs the losses, and stops the run where one is NaN or infinite.

    mmengine's hook reads every loss at every iteration, and each reading makes
    the CPU wait for the GPU.  This one lets them lie on the GPU and reads all
    of them at once, every so many iterations, and always before a checkpoint is
    written: ``--resume`` goes on from weights that were still finite.  On a CPU
    it reads them at once.  What the method's hooks add to the losses is among
    them.

    Args:
        step: The incremental step, for the message.
        intervals: It reads after iterations that are a multiple of any of
            these, and after the last one.
    """

    priority = 'VERY_HIGH'

    def __init__(self, step: int, intervals: Sequence[int]):
        self.step = step
        self.intervals = tuple(intervals)
        self._pending: list[tuple[int, dict[str, torch.Tensor]]] = []

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        done = batch_idx + 1
        losses = {name: value.detach() for name, value in (outputs or {}).items()
                  if isinstance(value, torch.Tensor)}
        for hook in runner.hooks:
            if isinstance(hook, MethodHook):
                losses |= {f'{hook.name}.{key}': value for key, value in hook.losses().items()}
        if losses:
            self._pending.append((done, losses))
        on_cpu = all(value.device.type == 'cpu' for value in losses.values())
        due = done == runner.max_iters or any(done % every == 0 for every in self.intervals)
        if on_cpu or due:
            self._read(runner)

    def _read(self, runner: Any) -> None:
        pending, self._pending = self._pending, []
        values = iter(torch.stack([
            value.float() for _, losses in pending for value in losses.values()]).tolist()
            if pending else [])
        for done, losses in pending:
            read = {name: next(values) for name in losses}
            self._check(done, read)
            for name, value in read.items():
                runner.message_hub.update_scalar(f'train/{name}', value)

    def _check(self, done: int, losses: dict[str, float]) -> None:
        broken = {name: value for name, value in losses.items()
                  if not abs(value) < float('inf')}
        if not broken:
            return
        name = min(broken, key=lambda key: key == 'loss')  # a part rather than the sum
        raise NonFiniteLossError(
            f'{name} is {broken[name]} at step {self.step}, iteration {done}; '
            'training stopped (a lower learning rate, or --cfg-options schedule.amp=False?)')
