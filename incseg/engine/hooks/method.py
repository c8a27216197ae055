"""Hooks that know their step, and hooks of a method that keep a state."""

from collections.abc import Iterable
from typing import Any, ClassVar

from mmengine.hooks import Hook
from torch import Tensor

from incseg.engine.checkpoint import FilePath, StepCheckpoint
from incseg.engine.step_context import StepContext


class StepHook(Hook):
    """A hook that knows the incremental step in which it works.

    Args:
        previous: The ``final.pth`` of the previous step; None at step 0.

    Attributes:
        previous: The same as a :class:`StepCheckpoint`, which also serves as a path.
        context: The step, set before ``before_run``; None where the engine does not
            train one.
    """

    context: StepContext | None = None

    def __init__(self, previous: FilePath | None = None):
        self.previous = None if previous is None else StepCheckpoint.of(previous)

    def use_context(self, context: StepContext) -> None:
        """Take the step's context, so that all hooks share one checkpoint of the previous step.

        Args:
            context: The step; its ``previous`` replaces that of the hook.
        """
        self.context, self.previous = context, context.previous


class MethodHook(StepHook):
    """A part of a method that acts on parameters and keeps a state.

    It is configured under ``method.hooks`` by name.  The step's ``final.pth`` stores
    the result of :meth:`state` under ``method_state`` and this name.  The file that
    ``--resume`` continues from stores the result of :meth:`progress`, so that an
    interrupted step ends as an uninterrupted one.

    Args:
        name: Its key in ``method.hooks``; the engine fills it in.
        previous: See :class:`StepHook`; the engine fills it in.

    Attributes:
        in_base_step: Whether it takes part in step 0; that step is then shared
            only with experiments that have the same hook.
        reads_base_images: Whether it makes its state from the images of step 0 where that step
            was trained without it.
        resumed_state: Its state at the interruption; None unless the step is
            being resumed.
    """

    in_base_step: ClassVar[bool] = False
    reads_base_images: ClassVar[bool] = False
    priority = 'NORMAL'  # after student and teacher were loaded

    def __init__(self, name: str = '', previous: FilePath | None = None):
        super().__init__(previous)
        self.name = name
        self.resumed_state: dict[str, Any] | None = None
        self._previous_state: dict[str, Any] | None = None

    @property
    def previous_state(self) -> dict[str, Any]:
        """The state of the hook of this name in the previous step; empty without one."""
        if self._previous_state is None:
            states = {} if self.previous is None else self.previous.method_state
            self._previous_state = states.get(self.name, {})
        return self._previous_state

    @previous_state.setter
    def previous_state(self, state: dict[str, Any]) -> None:
        self._previous_state = state

    def state(self) -> dict[str, Any]:
        """Return what the hook hands to the next step, tensors and plain data by name.

        By default it is empty.
        """
        return {}

    def progress(self) -> dict[str, Any]:
        """Return the state that a resumed step needs; by default the result of :meth:`state`."""
        return self.state()

    def losses(self) -> dict[str, Tensor]:
        """Return scalars of this iteration by key, logged and checked as ``<name>.<key>``."""
        return {}

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        self.resumed_state = checkpoint.get('method_state', {}).get(self.name, {})

    def before_save_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        if progress := self.progress():
            checkpoint.setdefault('method_state', {})[self.name] = progress


def hand_over(hooks: Iterable[Hook], context: StepContext) -> None:
    """Give the context of a step to all hooks that are a :class:`StepHook`.

    Args:
        hooks: The hooks of the Runner.
        context: The step.
    """
    for hook in hooks:
        if isinstance(hook, StepHook):
            hook.use_context(context)


def keep_states(hooks: Iterable[Hook], checkpoint: dict) -> None:
    """Put the states of the method's hooks into a step's checkpoint.

    Args:
        hooks: The hooks of the Runner.
        checkpoint: The content of ``final.pth``; its ``method_state`` is filled by the hooks'
            names.
    """
    for hook in hooks:
        if isinstance(hook, MethodHook) and (state := hook.state()):
            checkpoint.setdefault('method_state', {})[hook.name] = state
