"""How important parameters are, and what moving them costs; what EWC, PI and RW share.

Everything here is elementwise on tensors of one parameter's shape and float
type, and without gradient.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.model import is_model_wrapper
from torch import Tensor, nn

from incseg.engine.hooks.method import MethodHook
from incseg.errors import InvalidInputError
from incseg.utils.rules import NOT_NEGATIVE, checked


class ImportanceHook(MethodHook):
    """Holds each parameter near its old value, the firmer the more important it was.

    Once the gradient of the task loss is complete, :meth:`gather` learns from
    it what will be important, and then the gradient of ``loss_weight * sum
    importance * (parameter - old)^2`` is added.  Parameters that are new have
    no old value and are free.  However large the weight, no parameter is pulled
    past its old value (:func:`~incseg.engine.hooks.importance.firmness`).

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
            name: value for name, value in model.named_parameters() if value.requires_grad
        }
        if self.resumed_state is not None:
            importance = self.resumed_state['importance']
        elif self.previous is not None and not self.previous_state:
            raise InvalidInputError(
                f'{self.key}: {self.previous} holds no importance; the steps before this one '
                'have to be trained with the same method'
            )
        else:
            importance = self.old_importance()
        old = {} if self.previous is None else self.previous.adapted_to(model)
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
        self.gather(
            {name: value.grad for name, value in self.parameters.items() if value.grad is not None}
        )
        rates = {
            parameter: group['lr']
            for group in self.optimizer.param_groups
            for parameter in group['params']
        }
        penalties = []
        for name, importance in self.importance.items():
            parameter = self.parameters[name]
            penalty, gradient = quadratic_penalty(
                parameter - self.anchor[name],
                firmness(importance, self.loss_weight, rates[parameter]),
            )
            parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)
            penalties.append(penalty)
        if penalties:
            self._penalty = torch.stack(penalties).sum()


def normalised(values: Tensor) -> Tensor:
    """``(v - min) / (max - min + 1e-8)`` over one tensor: 0 to 1, all 0 where all are equal."""
    least = values.min()
    return (values - least) / (values.max() - least + 1e-8)


def fisher_average(fisher: Tensor, gradient: Tensor, alpha: float) -> Tensor:
    """The running Fisher information, ``alpha * g^2 + (1 - alpha) * F``.

    Args:
        fisher: The average so far.
        gradient: The task loss's, of one batch.
        alpha: Share of the newest batch, 0 to 1.
    """
    return alpha * gradient.square() + (1 - alpha) * fisher


def path_score(path: Tensor, gap: Tensor, damping: float) -> Tensor:
    """``max(0, path / (gap^2 + damping))``: the loss saved per squared distance.

    Args:
        path: How much the moves of a step lowered the loss, to first order.
        gap: How far the parameter is from where the step began.
        damping: More than 0; keeps small where the gap is small.

    Source: Zenke et al., "Continual Learning Through Synaptic Intelligence",
    ICML 2017, eq. 5.
    """
    return (path / (gap.square() + damping)).clamp_min(0)


def walk_score(gradient: Tensor, move: Tensor, fisher: Tensor) -> Tensor:
    """``-g * move / (F * move^2 / 2 + 1e-8)``: the loss saved per distance on the manifold.

    Args:
        gradient: At the end of the move.
        move: What the parameter moved by.
        fisher: The running Fisher information.

    Source: Chaudhry et al., "Riemannian Walk for Incremental Learning", ECCV
    2018, eq. 8.
    """
    return -gradient * move / (0.5 * fisher * move.square() + 1e-8)


def firmness(importance: Tensor, weight: float, lr: float) -> Tensor:
    """``weight * importance``, but at most ``1 / (2 lr)``.

    Then one step of gradient descent brings a parameter back to its old value.
    With more it would go past it, and further each time.

    Args:
        importance: 0 or more.
        weight: Of the penalty.
        lr: The parameter's learning rate, now.
    """
    return (weight * importance).clamp_max(0.5 / lr if lr > 0 else float('inf'))


def quadratic_penalty(gap: Tensor, firm: Tensor) -> tuple[Tensor, Tensor]:
    """``sum(firm * gap^2)``, a scalar without a factor of 1/2, and its gradient.

    Args:
        gap: The parameter minus its old value.
        firm: How firmly each element is held, 0 or more.
    """
    pull = firm * gap
    return (pull * gap).sum(), 2 * pull


def placed(
    stored: Mapping[str, Tensor], parameters: Mapping[str, nn.Parameter]
) -> dict[str, Tensor]:
    """Copies of stored tensors in the type, device and layout of the parameters.

    Args:
        stored: By name; names that no parameter has are left out.
        parameters: By name; those that nothing is stored for are left out.

    Raises:
        InvalidInputError: If a shape differs from the parameter's.
    """
    found = {}
    for name, parameter in parameters.items():
        if name not in stored:
            continue
        if stored[name].shape != parameter.shape:
            raise InvalidInputError(
                f'what is stored for {name} is {tuple(stored[name].shape)}, the parameter '
                f'is {tuple(parameter.shape)}: they belong to different networks'
            )
        found[name] = torch.empty_like(parameter, requires_grad=False).copy_(stored[name])
    return found


def grown(
    stored: Mapping[str, Tensor], parameters: Mapping[str, nn.Parameter], fill: float
) -> dict[str, Tensor]:
    """:func:`placed`, and tensors of ``fill`` for every parameter that is new."""
    fresh = {
        name: torch.full_like(parameter, fill, requires_grad=False)
        for name, parameter in parameters.items()
        if name not in stored
    }
    return placed(stored, parameters) | fresh
