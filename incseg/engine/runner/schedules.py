"""Learning-rate schedules, over the iterations of one training."""

from typing import Any

from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin
from mmengine.optim.scheduler.param_scheduler import _ParamScheduler

from incseg.registry import PARAM_SCHEDULERS


@PARAM_SCHEDULERS.register_module()
class HeldPolyLR(LRSchedulerMixin, _ParamScheduler):
    """A learning rate that is constant for ``hold`` iterations, then jumps to the poly schedule.

    From iteration *t* = ``hold`` on it is ``lr (1 - t / num_iters)^power``, as if it had
    decayed from the start.

    Args:
        optimizer: The optimiser or its wrapper.
        num_iters: Number of iterations of the training.
        hold: Number of iterations with the full learning rate.
        power: Exponent of the decay.
        kwargs: Arguments of mmengine's schedulers.  A Runner's config needs
            ``by_epoch=False``: a step is a single epoch for the Runner.

    Source: WILSON's published code.
    """

    def __init__(
        self, optimizer: Any, num_iters: int, hold: int = 0, power: float = 0.9, **kwargs: Any
    ):
        self.num_iters, self.hold, self.power = num_iters, hold, power
        super().__init__(optimizer, **kwargs)

    def _get_value(self) -> list[float]:
        share = 1.0 if self.last_step < self.hold else max(0.0, 1 - self.last_step / self.num_iters)
        return [value * share**self.power for value in self.base_values]
