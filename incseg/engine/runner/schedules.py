from typing import Any

from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin
from mmengine.optim.scheduler.param_scheduler import _ParamScheduler

from incseg.registry import PARAM_SCHEDULERS


@PARAM_SCHEDULERS.register_module()
class HeldPolyLR(LRSchedulerMixin, _ParamScheduler):
    """A learning rate that stays for a while and then is where poly would be by then.

    ``lr (1 - t / num_iters)^power`` at iteration *t* from ``hold`` on: it jumps
    there, it does not start to decay there.

    Args:
        optimizer: The optimiser or its wrapper.
        num_iters: Iterations of the training.
        hold: Iterations with the full learning rate.
        power: Of the decay.
        kwargs: Of mmengine's schedulers; ``by_epoch=False`` has to be among them
            in a Runner's config, which takes one epoch for its end otherwise.

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
