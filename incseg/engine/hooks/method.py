from typing import Any, ClassVar

from mmengine.hooks import Hook
from torch import Tensor

from incseg.engine.checkpoint import read_step_checkpoint


class MethodHook(Hook):
    """A part of a method that acts on parameters, and what it remembers.

    It is configured under ``method.hooks`` by name.  What :meth:`state`
    returns is kept in the step's ``final.pth`` under ``method_state`` and the
    name, and what :meth:`progress` returns in the file that ``--resume`` goes
    on from, so that an interrupted step ends as an uninterrupted one.

    Args:
        name: Its key in ``method.hooks``; the engine fills it in.
        previous: The previous step's ``final.pth``, likewise; None at step 0.

    Attributes:
        in_base_step: Whether it takes part in step 0; then that step is
            shared only with experiments that have the same hook.
        previous_state: What the hook of the same name left in the previous
            step; empty where there was none.
        resumed_state: What it had when the step was interrupted; None unless
            the step is being resumed.
    """

    in_base_step: ClassVar[bool] = False
    priority = 'NORMAL'  # after student and teacher were loaded

    def __init__(self, name: str = '', previous: str | None = None):
        self.name, self.previous = name, previous
        self.previous_state: dict[str, Any] = {}
        self.resumed_state: dict[str, Any] | None = None
        if previous is not None:
            states = read_step_checkpoint(previous).get('method_state', {})
            self.previous_state = states.get(name, {})

    def state(self) -> dict[str, Any]:
        """Tensors and plain data for the next step; nothing by default."""
        return {}

    def progress(self) -> dict[str, Any]:
        """What a resumed step needs; the same as :meth:`state` by default."""
        return self.state()

    def losses(self) -> dict[str, Tensor]:
        """Scalars of this iteration, logged and checked as losses ``<name>.<key>``."""
        return {}

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        self.resumed_state = checkpoint.get('method_state', {}).get(self.name, {})

    def before_save_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        if progress := self.progress():
            checkpoint.setdefault('method_state', {})[self.name] = progress


def keep_states(hooks: Any, checkpoint: dict) -> None:
    """Put what the method's hooks leave to the next step into a step's checkpoint."""
    for hook in hooks:
        if isinstance(hook, MethodHook) and (state := hook.state()):
            checkpoint.setdefault('method_state', {})[hook.name] = state
