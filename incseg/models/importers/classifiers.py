"""The classifiers of an imported network: their background output and the order of outputs."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from incseg.models.importers.network import State

#: how far the added output lies below the mean of the others
MARGIN = 1.0
#: end of the names of a classifier's tensors, after its head's
CLASSIFIER = 'classifier.steps.0.'


def classifiers(state: Mapping[str, Tensor]) -> list[str]:
    """Return the beginnings of the names of the classifiers' tensors, the principal one first."""
    found = [name.removesuffix('weight') for name in state if name.endswith(f'{CLASSIFIER}weight')]
    return sorted(found, key=lambda name: (not name.startswith('decode_head.'), name))


def with_biases(state: Mapping[str, Tensor]) -> State:
    """Return a state dict in which every classifier has a bias; a missing one is zero."""
    state = dict(state)
    for name in classifiers(state):
        weight = state[f'{name}weight']
        state.setdefault(f'{name}bias', weight.new_zeros(len(weight)))
    return state


def with_background(state: Mapping[str, Tensor]) -> State:
    """Return a state dict whose classifiers have one more output, the first, that never wins.

    Its logit is the mean of all others minus :data:`MARGIN`, so it is below the largest one
    wherever it is interpolated, and moderate: log-sums with it, and their gradients, are finite
    and not zero.  MiB's new classifiers start from it, that is from the mean of the old ones.
    With one class alone, a network of sigmoids, its logit is 0: the class is there where its own
    logit is above 0.

    Args:
        state: Tensors by name; it is not changed.
    """
    state = dict(state)
    for name in classifiers(state):
        weight, bias = state[f'{name}weight'], state[f'{name}bias']
        if len(weight) == 1:
            first, start = torch.zeros_like(weight), torch.zeros_like(bias)
        else:
            first, start = weight.mean(0, keepdim=True), bias.mean(0, keepdim=True) - MARGIN
        state[f'{name}weight'] = torch.cat([first, weight])
        state[f'{name}bias'] = torch.cat([start, bias])
    return state


def reordered(state: Mapping[str, Tensor], order: Sequence[int]) -> State:
    """Return a state dict whose classifiers have their outputs in another order.

    Args:
        state: Tensors by name; it is not changed.
        order: For each output, the index of that which takes its place.
    """
    state = dict(state)
    for name in classifiers(state):
        for part in ('weight', 'bias'):
            state[name + part] = state[name + part][list(order)]
    return state
