"""The methods that hold important parameters: EWC, PI and RW."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from incseg.engine.hooks.all_parameters import (
    add_walk_scores,
    fisher_averages,
    lengthen_paths,
    take_moves,
)
from incseg.engine.hooks.data_pass import fisher_pass
from incseg.engine.hooks.importance import (
    ImportanceHook,
    copies_with_default,
    matching_copies,
    normalised,
    path_score,
)
from incseg.registry import HOOKS
from incseg.utils.rules import POSITIVE, SHARE, checked, whole


@HOOKS.register_module()
class EWCHook(ImportanceHook):
    """Elastic weight consolidation: importance is the Fisher information.

    The Fisher information is a running average of the squared gradient of the task
    loss; it starts at 1 for new parameters.  The next step uses this average,
    normalised within each tensor.  Step 0 may be trained by any method: then the
    Fisher information comes from one pass over its data
    (:func:`~incseg.engine.hooks.data_pass.fisher_pass`).

    Args:
        loss_weight: Factor on the penalty for moving a parameter, 0 or more.
        alpha: Share of the newest batch in the average, 0 to 1.
        kwargs: See :class:`MethodHook`.

    Raises:
        InvalidInputError: An argument is out of range; before training, the previous step left
            no importance.

    Source: Kirkpatrick et al., "Overcoming catastrophic forgetting in neural
    networks", PNAS 2017, in the online form of Chaudhry et al., ECCV 2018.
    """

    reads_base_images = True

    def __init__(self, loss_weight: float = 500.0, alpha: float = 0.9, **kwargs: Any):
        super().__init__(loss_weight, **kwargs)
        self.alpha = checked(f'{self.key}.alpha', alpha, SHARE)

    def before_train(self, runner: Any) -> None:
        previous = self.previous
        if (
            previous is not None
            and self.resumed_state is None
            and not self.previous_state
            and previous.meta['step'] == 0
        ):
            runner.logger.info(f'{self.name}: one pass over the data of the base step')
            self.previous_state = dict(
                fisher=fisher_pass(
                    runner,
                    previous,
                    self.alpha,
                    None if self.context is None else self.context.labels.experiment.sources,
                )
            )
        super().before_train(runner)
        start = self.previous_state if self.resumed_state is None else self.resumed_state
        self.fisher = copies_with_default(start.get('fisher', {}), self.parameters, 1.0)

    def old_importance(self) -> dict[str, Tensor]:
        fisher = self.previous_state.get('fisher', {})
        return {name: normalised(value) for name, value in fisher.items()}

    def gather(self, gradients: dict[str, Tensor]) -> None:
        if gradients:
            fishers = [self.fisher[name] for name in gradients]
            averages = fisher_averages(fishers, list(gradients.values()), self.alpha)
            self.fisher.update(zip(gradients, averages))

    def state(self) -> dict[str, Any]:
        return dict(fisher=self.fisher)

    def progress(self) -> dict[str, Any]:
        return {**super().progress(), 'fisher': self.fisher}


@HOOKS.register_module()
class PathIntegralHook(ImportanceHook):
    """Path integral (synaptic intelligence): importance is the loss that a parameter's path saved.

    During a step the products of gradient and move are summed.  Divided by the
    squared distance from the start of the step, and clipped at 0, they are added to
    the scores of the earlier steps.  The next step uses the score, normalised
    within each tensor.  The method needs the path of every step, so it takes part
    in step 0.  The path ends with the training: later moves by
    :class:`WeightFusionHook` do not count.

    Args:
        loss_weight: Factor on the penalty for moving a parameter, 0 or more.
        damping: Added to the squared distance, more than 0.  With the small
            published value, parameters that end close to their start get by far
            the largest scores.
        kwargs: See :class:`MethodHook`.

    Raises:
        InvalidInputError: An argument is out of range; before training, the previous step left
            no importance.

    Source: Zenke et al., "Continual Learning Through Synaptic Intelligence",
    ICML 2017.
    """

    in_base_step = True

    def __init__(self, loss_weight: float = 500.0, damping: float = 1e-20, **kwargs: Any):
        super().__init__(loss_weight, **kwargs)
        self.damping = checked(f'{self.key}.damping', damping, POSITIVE)

    def before_train(self, runner: Any) -> None:
        super().before_train(runner)
        resumed = self.resumed_state or {}
        new = {name: value for name, value in self.parameters.items() if name not in self.anchor}
        begun = {name: value.detach() for name, value in new.items()} | resumed.get('start', {})
        self.start = self.anchor | matching_copies(begun, new)
        self.path = copies_with_default(resumed.get('path', {}), self.parameters, 0.0)
        self.last = matching_copies(resumed.get('last', {}), self.parameters)
        self.end: Mapping[str, Tensor] = self.parameters

    def old_importance(self) -> dict[str, Tensor]:
        score = self.previous_state.get('score', {})
        return {name: normalised(value) for name, value in score.items()}

    def gather(self, gradients: dict[str, Tensor]) -> None:
        moves = take_moves(self.parameters, self.last, gradients)
        if moves:
            paths, slopes = ([values[name] for name in moves] for values in (self.path, gradients))
            lengthen_paths(paths, slopes, list(moves.values()))

    def after_train(self, runner: Any) -> None:
        self.end = {name: value.detach().clone() for name, value in self.parameters.items()}

    def state(self) -> dict[str, Any]:
        score = {
            name: path_score(self.path[name], value.detach() - self.start[name], self.damping)
            for name, value in self.end.items()
        }
        for name, old in matching_copies(
            self.previous_state.get('score', {}), self.parameters
        ).items():
            score[name] += old
        return dict(score=score)

    def progress(self) -> dict[str, Any]:
        new = {name: value for name, value in self.start.items() if name not in self.anchor}
        return {**super().progress(), 'start': new, 'path': self.path, 'last': self.last}


@HOOKS.register_module()
class RiemannianWalkHook(EWCHook):
    """Riemannian walk: importance is the Fisher information and a score of the parameter's path.

    Every ``interval`` iterations the score grows by the loss that the parameter's
    move saved, relative to the distance measured by the Fisher information.  At the
    end of a step the score is clipped at 0 and averaged with the score of the
    earlier steps.  The next step uses the sum of both, each normalised within each
    tensor.  If another method trained step 0, only the Fisher information counts.

    Args:
        loss_weight: Factor on the penalty for moving a parameter, 0 or more.
        interval: Iterations between two updates of the score.
        kwargs: ``alpha`` of :class:`EWCHook`, and see :class:`MethodHook`.

    Raises:
        InvalidInputError: An argument is out of range; before training, the previous step left
            no importance.

    Source: Chaudhry et al., "Riemannian Walk for Incremental Learning:
    Understanding Forgetting and Intransigence", ECCV 2018.
    """

    def __init__(self, loss_weight: float = 100.0, interval: int = 10, **kwargs: Any):
        super().__init__(loss_weight, **kwargs)
        self.interval = checked(f'{self.key}.interval', interval, whole(1))

    def before_train(self, runner: Any) -> None:
        super().before_train(runner)
        resumed = self.resumed_state or {}
        self.score = copies_with_default(resumed.get('walk', {}), self.parameters, 0.0)
        self.last = matching_copies(resumed.get('last', {}), self.parameters)
        self.count = int(resumed.get('count', 0))

    def old_importance(self) -> dict[str, Tensor]:
        importance = super().old_importance()
        for name, score in self.previous_state.get('score', {}).items():
            importance[name] = importance[name] + normalised(score)
        return importance

    def gather(self, gradients: dict[str, Tensor]) -> None:
        if self.count % self.interval == 0:
            moves = take_moves(self.parameters, self.last, gradients)
            if moves:
                scores, slopes, fishers = (
                    [values[name] for name in moves]
                    for values in (self.score, gradients, self.fisher)
                )
                add_walk_scores(scores, slopes, list(moves.values()), fishers)
        self.count += 1
        super().gather(gradients)

    def state(self) -> dict[str, Any]:
        score = {name: value.clamp_min(0) for name, value in self.score.items()}
        for name, old in matching_copies(
            self.previous_state.get('score', {}), self.parameters
        ).items():
            score[name] = 0.5 * (score[name] + old)
        return {**super().state(), 'score': score}

    def progress(self) -> dict[str, Any]:
        return {**super().progress(), 'walk': self.score, 'last': self.last, 'count': self.count}
