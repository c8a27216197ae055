from typing import Any

from torch import Tensor

from incseg.engine.hooks.ewc_hook import EWCHook
from incseg.engine.importance import grown, normalised, placed, walk_score
from incseg.protocols.value_rules import checked, whole
from incseg.registry import HOOKS


@HOOKS.register_module()
class RiemannianWalkHook(EWCHook):
    """Riemannian walk: the Fisher information and a score of the parameter's way.

    Every ``interval`` iterations the loss that a parameter's move saved,
    relative to the distance measured by the Fisher information, is added up.
    At the end of a step it loses what is negative and is averaged with the
    score of the steps before.  What the next step is held by is the sum of
    both, each normalised within each tensor.  After a step 0 that was not
    trained by this method there is no way to look at, and the Fisher
    information alone counts.

    Args:
        loss_weight: See :class:`ImportanceHook`.
        interval: Iterations between two updates of the score.
        kwargs: ``alpha`` of :class:`EWCHook`, and see :class:`MethodHook`.

    Source: Chaudhry et al., "Riemannian Walk for Incremental Learning:
    Understanding Forgetting and Intransigence", ECCV 2018.
    """

    def __init__(self, loss_weight: float = 100., interval: int = 10, **kwargs: Any):
        super().__init__(loss_weight, **kwargs)
        self.interval = checked(f'{self.key}.interval', interval, whole(1))

    def before_train(self, runner: Any) -> None:
        super().before_train(runner)
        resumed = self.resumed_state or {}
        self.score = grown(resumed.get('walk', {}), self.parameters, 0.)
        self.last = placed(resumed.get('last', {}), self.parameters)
        self.count = int(resumed.get('count', 0))

    def old_importance(self) -> dict[str, Tensor]:
        importance = super().old_importance()
        for name, score in self.previous_state.get('score', {}).items():
            importance[name] = importance[name] + normalised(score)
        return importance

    def gather(self, gradients: dict[str, Tensor]) -> None:
        if self.count % self.interval == 0:
            for name, gradient in gradients.items():
                value = self.parameters[name].detach()
                if name in self.last:
                    move = value - self.last[name]
                    self.score[name] += walk_score(gradient, move, self.fisher[name])
                self.last[name] = value.clone()
        self.count += 1
        super().gather(gradients)

    def state(self) -> dict[str, Any]:
        score = {name: value.clamp_min(0) for name, value in self.score.items()}
        for name, old in placed(self.previous_state.get('score', {}), self.parameters).items():
            score[name] = 0.5 * (score[name] + old)
        return {**super().state(), 'score': score}

    def progress(self) -> dict[str, Any]:
        return {**super().progress(), 'walk': self.score, 'last': self.last, 'count': self.count}
