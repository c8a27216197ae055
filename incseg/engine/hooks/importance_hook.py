from abc import abstractmethod
from typing import Any

import torch
from mmengine.model import is_model_wrapper
from torch import Tensor

from incseg.engine.checkpoint import read_step_checkpoint
from incseg.engine.hooks.method_hook import MethodHook
from incseg.engine.importance import firmness, placed, quadratic_penalty
from incseg.errors import InvalidInputError
from incseg.protocols.value_rules import NOT_NEGATIVE, checked


class ImportanceHook(MethodHook):
    """Holds each parameter near its old value, the firmer the more important it was.

    Once the gradient of the task loss is complete, :meth:`gather` learns from
    it what will be important, and then the gradient of ``loss_weight * sum
    importance * (parameter - old)^2`` is added.  Parameters that are new have
    no old value and are free.  However large the weight, no parameter is pulled
    past its old value (:func:`~incseg.engine.importance.firmness`).

    Gradients are the mean over all processes, so every process finds the same
    importance by itself.

    Args:
        loss_weight: Factor on the penalty, 0 or more.
        kwargs: See :class:`MethodHook`.

    Attributes:
        parameters: The student's, by name, those that are trained.
        importance: By name, 0 or more; only of the previous step's parameters.
        anchor: The previous step's values, by name.

    Raises:
        InvalidInputError: Before training, if the previous step left no
            importance.
    """

    def __init__(self, loss_weight: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.loss_weight = checked(f'{self.key}.loss_weight', loss_weight, NOT_NEGATIVE)
        self._penalty: Tensor | None = None

    @property
    def key(self) -> str:
        """Where the config has it, for messages."""
        return f'method.hooks.{self.name}'

    @abstractmethod
    def old_importance(self) -> dict[str, Tensor]:
        """Importance by name, from ``previous_state``."""

    @abstractmethod
    def gather(self, gradients: dict[str, Tensor]) -> None:
        """Learn from the task loss's gradients, by name; parameters are not updated yet."""

    def before_train(self, runner: Any) -> None:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        self.parameters = {
            name: value for name, value in model.named_parameters() if value.requires_grad}
        if self.resumed_state is not None:
            importance = self.resumed_state['importance']
        elif self.previous is not None and not self.previous_state:
            raise InvalidInputError(
                f'{self.key}: {self.previous} holds no importance; the steps before this one '
                'have to be trained with the same method')
        else:
            importance = self.old_importance()
        old = read_step_checkpoint(self.previous)['state_dict'] if self.previous else {}
        self.importance = placed(importance, self.parameters)
        self.anchor = placed(old, self.parameters)
        self.optimizer = runner.optim_wrapper.optimizer
        runner.optim_wrapper.after_backward.append(self._after_backward)

    def progress(self) -> dict[str, Any]:
        return dict(importance=self.importance)

    def losses(self) -> dict[str, Tensor]:
        return {} if self._penalty is None else dict(penalty=self._penalty)

    @torch.no_grad()
    def _after_backward(self) -> None:
        self.gather({name: value.grad for name, value in self.parameters.items()
                     if value.grad is not None})
        rates = {parameter: group['lr'] for group in self.optimizer.param_groups
                 for parameter in group['params']}
        penalties = []
        for name, importance in self.importance.items():
            parameter = self.parameters[name]
            penalty, gradient = quadratic_penalty(
                parameter - self.anchor[name],
                firmness(importance, self.loss_weight, rates[parameter]))
            parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)
            penalties.append(penalty)
        if penalties:
            self._penalty = torch.stack(penalties).sum()
