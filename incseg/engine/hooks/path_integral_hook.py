from collections.abc import Mapping
from typing import Any

from torch import Tensor

from incseg.engine.hooks.importance_hook import ImportanceHook
from incseg.engine.importance import grown, normalised, path_score, placed
from incseg.protocols.value_rules import POSITIVE, checked
from incseg.registry import HOOKS


@HOOKS.register_module()
class PathIntegralHook(ImportanceHook):
    """Path integral (synaptic intelligence): importance is the loss that a parameter's way saved.

    Over a step the products of gradient and move are summed; divided by the
    squared distance from the step's beginning, without what is negative, they
    are added to the scores of the steps before.  What the next step is held by
    is the score normalised within each tensor.  It needs the way of every
    step, so it takes part in step 0.  The way ends where the training does: what
    :class:`WeightFusionHook` moves afterwards is no part of it.

    Args:
        loss_weight: See :class:`ImportanceHook`.
        damping: Added to the squared distance, more than 0.  As small as
            published, parameters that end close to where they began get by far
            the largest scores.
        kwargs: See :class:`MethodHook`.

    Source: Zenke et al., "Continual Learning Through Synaptic Intelligence",
    ICML 2017.
    """

    in_base_step = True

    def __init__(self, loss_weight: float = 500., damping: float = 1e-20, **kwargs: Any):
        super().__init__(loss_weight, **kwargs)
        self.damping = checked(f'{self.key}.damping', damping, POSITIVE)

    def before_train(self, runner: Any) -> None:
        super().before_train(runner)
        resumed = self.resumed_state or {}
        new = {name: value for name, value in self.parameters.items() if name not in self.anchor}
        begun = {name: value.detach() for name, value in new.items()} | resumed.get('start', {})
        self.start = self.anchor | placed(begun, new)
        self.path = grown(resumed.get('path', {}), self.parameters, 0.)
        self.last = placed(resumed.get('last', {}), self.parameters)
        self.end: Mapping[str, Tensor] = self.parameters

    def old_importance(self) -> dict[str, Tensor]:
        score = self.previous_state.get('score', {})
        return {name: normalised(value) for name, value in score.items()}

    def gather(self, gradients: dict[str, Tensor]) -> None:
        for name, gradient in gradients.items():
            value = self.parameters[name].detach()
            if name in self.last:
                self.path[name] -= gradient * (value - self.last[name])
            self.last[name] = value.clone()

    def after_train(self, runner: Any) -> None:
        self.end = {name: value.detach().clone() for name, value in self.parameters.items()}

    def state(self) -> dict[str, Any]:
        score = {
            name: path_score(self.path[name], value.detach() - self.start[name], self.damping)
            for name, value in self.end.items()}
        for name, old in placed(self.previous_state.get('score', {}), self.parameters).items():
            score[name] += old
        return dict(score=score)

    def progress(self) -> dict[str, Any]:
        new = {name: value for name, value in self.start.items() if name not in self.anchor}
        return {**super().progress(), 'start': new, 'path': self.path, 'last': self.last}
