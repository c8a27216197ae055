"""The formulas of importance for all parameters in one call each.

A network has some 350 parameters.  One kernel for each of them and for each operation is
thousands of launches an iteration on a GPU; torch's ``_foreach`` operations take lists.  Each
function here equals that of :mod:`incseg.engine.hooks.importance` tensor by tensor, bit for bit,
but for the penalty's sum.  Lists have one tensor per parameter, at least one, in one order.
"""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

Tensors = list[Tensor]


def take_moves(
    parameters: Mapping[str, Tensor], last: dict[str, Tensor], names: Iterable[str]
) -> dict[str, Tensor]:
    """Return how far parameters moved since the last call, and remember where they are.

    Args:
        parameters: All parameters, by name.
        last: Their values at the last call, by name; changed.  One without a value gets one, and
            has no move.
        names: The parameters that are asked for.

    Returns:
        New tensors by name.
    """
    names = list(names)
    known = [name for name in names if name in last]
    moves: list[Tensor] = []
    if known:
        here, before = [parameters[name].detach() for name in known], [last[n] for n in known]
        moves = list(torch._foreach_sub(here, before))
        torch._foreach_copy_(before, here)
    last.update((n, parameters[n].detach().clone()) for n in names if n not in last)
    return dict(zip(known, moves))


def fisher_averages(fishers: Tensors, gradients: Tensors, alpha: float) -> list[Tensor]:
    """Return :func:`fisher_average` of every parameter, as new tensors.

    Args:
        fishers: The averages so far.
        gradients: Gradients of the task loss on the batch.
        alpha: Share of the newest batch, 0 to 1.
    """
    averages = list(torch._foreach_mul(gradients, gradients))
    torch._foreach_mul_(averages, alpha)
    torch._foreach_add_(averages, torch._foreach_mul(fishers, 1 - alpha))
    return averages


def lengthen_paths(paths: Tensors, gradients: Tensors, moves: Tensors) -> None:
    """Subtract ``gradient * move`` from every path, in place.

    Args:
        paths: Decrease of the loss so far, to first order; changed.
        gradients: Gradients of the task loss.
        moves: Changes of the parameters.
    """
    torch._foreach_sub_(paths, torch._foreach_mul(gradients, moves))


def add_walk_scores(scores: Tensors, gradients: Tensors, moves: Tensors, fishers: Tensors) -> None:
    """Add :func:`walk_score` of every parameter to its score, in place.

    Args:
        scores: The scores so far; changed.
        gradients: Gradients at the end of the moves.
        moves: Changes of the parameters.
        fishers: The running Fisher information.
    """
    distances = torch._foreach_mul(fishers, 0.5)
    torch._foreach_mul_(distances, torch._foreach_mul(moves, moves))
    torch._foreach_add_(distances, 1e-8)
    saved = torch._foreach_mul(torch._foreach_neg(gradients), moves)
    torch._foreach_div_(saved, distances)
    torch._foreach_add_(scores, saved)


def penalty_of_all(
    gaps: Tensors, importances: Tensors, weight: float, rates: Sequence[float]
) -> tuple[Tensor, list[Tensor]]:
    """Return the sum of :func:`quadratic_penalty` over all parameters, and its gradients.

    Args:
        gaps: Parameters minus their old values.
        importances: 0 or more.
        weight: Weight of the penalty; its strength is clipped as in :func:`clipped_strength`.
        rates: The current learning rate of each parameter.

    Returns:
        A scalar, and new tensors.
    """
    pulls = list(torch._foreach_mul(importances, weight))
    limits = [0.5 / rate if rate > 0 else float('inf') for rate in rates]
    torch._foreach_clamp_max_(pulls, limits)
    torch._foreach_mul_(pulls, gaps)
    # nothing is negative, so that the sum is the 1-norm, which takes a list
    penalty = torch.stack(torch._foreach_norm(torch._foreach_mul(pulls, gaps), 1)).sum()
    torch._foreach_mul_(pulls, 2)
    return penalty, pulls
