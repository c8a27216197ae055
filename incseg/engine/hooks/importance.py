"""The importance of parameters and the penalty for moving them, shared by EWC, PI and RW.

All functions work elementwise, without gradient, on tensors of one parameter's
shape and float type.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.model import is_model_wrapper
from torch import Tensor, nn

from incseg.engine.hooks.all_parameters import penalty_of_all
from incseg.engine.hooks.method import MethodHook
from incseg.errors import InvalidInputError
from incseg.utils.rules import NOT_NEGATIVE, checked


class ImportanceHook(MethodHook):
    """Hold each parameter near its old value, more firmly the more important it was.

    Once the gradient of the task loss is complete, :meth:`gather` updates the
    importance for later steps.  Then the gradient of ``loss_weight * sum
    importance * (parameter - old)^2`` is added.  New parameters have no old value
    and are free.  No weight is so large that a parameter is pulled past its old
    value (:func:`~incseg.engine.hooks.importance.clipped_strength`).

    Gradients are means over all processes, so every process computes the same
    importance.

    Args:
        loss_weight: Factor on the penalty, 0 or more.
        kwargs: See :class:`MethodHook`.

    Attributes:
        parameters: The trained parameters of the student, by name.
        importance: By name, 0 or more; only for parameters of the previous step.
        anchor: The values of the previous step, by name.

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
        """The key of the hook in the config, for messages."""
        return f'method.hooks.{self.name}'

    @abstractmethod
    def old_importance(self) -> dict[str, Tensor]:
        """Return the importance of each parameter, 0 or more, from ``previous_state``.

        It is called before the training; the tensors, by parameter name, have the parameters'
        shapes.
        """

    @abstractmethod
    def gather(self, gradients: dict[str, Tensor]) -> None:
        """Update what the hook knows of importance, before each update of the parameters.

        Args:
            gradients: Gradients of the task loss, without the penalty, by parameter name.
        """

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
        self.anchor = matching_copies(old, self.parameters)
        # a network may give a part that is new in each step the name of an earlier one
        held = {name: self.parameters[name] for name in self.anchor}
        self.importance = matching_copies(importance, held)
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
        if not self.importance:
            return
        held = [self.parameters[name] for name in self.importance]
        self._penalty, pulls = penalty_of_all(
            list(torch._foreach_sub(held, [self.anchor[name] for name in self.importance])),
            list(self.importance.values()),
            self.loss_weight,
            [rates[parameter] for parameter in held],
        )
        reached = [(p.grad, pull) for p, pull in zip(held, pulls) if p.grad is not None]
        if reached:
            torch._foreach_add_(*map(list, zip(*reached)))
        for parameter, pull in zip(held, pulls):
            if parameter.grad is None:
                parameter.grad = pull


def normalised(values: Tensor) -> Tensor:
    """Return a tensor scaled to 0..1: ``(v - min) / (max - min + 1e-8)``.

    All entries are 0 where all values are equal.
    """
    least = values.min()
    return (values - least) / (values.max() - least + 1e-8)


def fisher_average(fisher: Tensor, gradient: Tensor, alpha: float) -> Tensor:
    """Return the running Fisher information after a batch: ``alpha * g^2 + (1 - alpha) * F``.

    Args:
        fisher: The average ``F`` so far.
        gradient: The gradient ``g`` of the task loss on the batch.
        alpha: Share of the newest batch, 0 to 1.
    """
    return alpha * gradient.square() + (1 - alpha) * fisher


def path_score(path: Tensor, gap: Tensor, damping: float) -> Tensor:
    """Return the loss saved per squared distance: ``max(0, path / (gap^2 + damping))``.

    Args:
        path: Decrease of the loss by the moves of the parameter in an incremental step, to
            first order.
        gap: Distance of the parameter from its value at the start of that step.
        damping: More than 0; it keeps the score small where the gap is small.

    Source: Zenke et al., "Continual Learning Through Synaptic Intelligence",
    ICML 2017, eq. 5.
    """
    return (path / (gap.square() + damping)).clamp_min(0)


def walk_score(gradient: Tensor, move: Tensor, fisher: Tensor) -> Tensor:
    """Return the loss saved per distance: ``-g * move / (F * move^2 / 2 + 1e-8)``.

    The distance of a move is measured by the Fisher information (on the Riemannian manifold).

    Args:
        gradient: The gradient ``g`` at the end of the move.
        move: The change of the parameter.
        fisher: The running Fisher information ``F``.

    Source: Chaudhry et al., "Riemannian Walk for Incremental Learning", ECCV
    2018, eq. 8.
    """
    return -gradient * move / (0.5 * fisher * move.square() + 1e-8)


def clipped_strength(importance: Tensor, weight: float, lr: float) -> Tensor:
    """Return ``weight * importance``, but at most ``1 / (2 lr)``.

    At this limit one update by gradient descent brings a parameter exactly back to
    its old value.  A larger factor would move it past that value, further each time.

    Args:
        importance: 0 or more.
        weight: Weight of the penalty.
        lr: The current learning rate of the parameter; with 0 there is no limit.
    """
    return (weight * importance).clamp_max(0.5 / lr if lr > 0 else float('inf'))


def quadratic_penalty(gap: Tensor, firm: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``sum(firm * gap^2)``, a scalar, and its gradient ``2 * firm * gap``.

    Args:
        gap: The parameter minus its old value.
        firm: Strength of the penalty on each element, 0 or more.
    """
    pull = firm * gap
    return (pull * gap).sum(), 2 * pull


def matching_copies(
    stored: Mapping[str, Tensor], parameters: Mapping[str, nn.Parameter]
) -> dict[str, Tensor]:
    """Copy stored tensors into the type, device and layout of the parameters.

    Args:
        stored: Tensors by name; names without a parameter are left out.
        parameters: Parameters by name; those without a stored tensor are left out.

    Returns:
        The copies by name.

    Raises:
        InvalidInputError: A shape differs from the parameter's.
    """
    copies = {}
    for name, parameter in parameters.items():
        if name not in stored:
            continue
        if stored[name].shape != parameter.shape:
            raise InvalidInputError(
                f'what is stored for {name} is {tuple(stored[name].shape)}, the parameter '
                f'is {tuple(parameter.shape)}: they belong to different networks'
            )
        copies[name] = torch.empty_like(parameter, requires_grad=False).copy_(stored[name])
    return copies


def copies_with_default(
    stored: Mapping[str, Tensor], parameters: Mapping[str, nn.Parameter], fill: float
) -> dict[str, Tensor]:
    """Return a tensor for every parameter: a copy of the stored one, or else one full of ``fill``.

    See :func:`matching_copies`.
    """
    fresh = {
        name: torch.full_like(parameter, fill, requires_grad=False)
        for name, parameter in parameters.items()
        if name not in stored
    }
    return matching_copies(stored, parameters) | fresh
