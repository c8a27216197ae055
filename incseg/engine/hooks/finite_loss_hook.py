from typing import Any

import torch
from mmengine.hooks import Hook

from incseg.errors import NonFiniteLossError
from incseg.registry import HOOKS


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stops the run as soon as a loss is NaN or infinite.

    It runs before any checkpoint of the iteration is written, so ``--resume``
    goes on from weights that were still finite.

    Args:
        step: The incremental step, for the message.
    """

    priority = 'VERY_HIGH'

    def __init__(self, step: int):
        self.step = step

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        losses = {name: value.detach() for name, value in (outputs or {}).items()
                  if isinstance(value, torch.Tensor)}
        if not losses or bool(torch.stack(list(losses.values())).isfinite().all()):
            return
        parts = {name: float(value) for name, value in losses.items() if not value.isfinite()}
        name = min(parts, key=lambda key: key == 'loss')  # a part rather than the sum
        raise NonFiniteLossError(
            f'{name} is {parts[name]} at step {self.step}, iteration {batch_idx + 1}; '
            'training stopped (a lower learning rate, or --cfg-options schedule.amp=False?)')
