from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch import nn

from incseg.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class StepOptimWrapper(OptimWrapper):
    """mmengine's wrapper with bfloat16 autocast and callbacks around the update.

    mmengine runs backward, step and zero_grad in one call; methods that act on
    parameters (EWC, PI, RW, …) register callbacks between them.

    Args:
        amp: Whether the forward pass runs under bfloat16 autocast, on CUDA or
            CPU.  No gradient scaler is needed; losses are computed in float32.
        kwargs: See :class:`mmengine.optim.OptimWrapper`.

    Attributes:
        after_backward: Called without arguments once gradients are complete.
        after_step: Called without arguments once parameters were updated,
            before gradients are cleared.
    """

    def __init__(self, *args: Any, amp: bool = False, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.amp = amp
        self.after_backward: list[Callable[[], None]] = []
        self.after_step: list[Callable[[], None]] = []

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(
                device, torch.bfloat16, enabled=self.amp):
            yield

    def step(self, **kwargs: Any) -> None:
        for callback in self.after_backward:
            callback()
        super().step(**kwargs)
        for callback in self.after_step:
            callback()
