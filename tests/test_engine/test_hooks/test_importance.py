"""Importance and its penalty: worked numbers, limits, gradients, growth."""

import pytest
import torch
from torch import nn

from incseg.engine.hooks.importance import (
    clipped_strength,
    copies_with_default,
    fisher_average,
    matching_copies,
    normalised,
    path_score,
    quadratic_penalty,
    walk_score,
)
from incseg.errors import InvalidInputError


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_normalised():
    """Within one tensor from 0 to 1; if it fails, tensors with small gradients are not held."""
    assert torch.allclose(normalised(tensor(1, 2, 5)), tensor(0, 0.25, 1), atol=1e-8)
    assert torch.allclose(normalised(tensor(1e-8, 2e-8)), tensor(0, 0.5))  # 1e-8 / (1e-8 + 1e-8)
    assert normalised(tensor(3, 3)).tolist() == [0, 0], 'equal values say nothing'
    assert normalised(torch.tensor([7.0])).tolist() == [0], 'nor does a single one'


def test_fisher_average():
    """0.9 * 2^2 + 0.1 * 1; a zero gradient leaves a tenth; alpha 1 forgets, 0 ignores."""
    fisher, gradient = tensor(1, 1), tensor(-2, 0)
    assert torch.allclose(fisher_average(fisher, gradient, 0.9), tensor(3.7, 0.1))
    assert fisher_average(fisher, gradient, 1.0).tolist() == [4, 0]
    assert fisher_average(fisher, gradient, 0.0).tolist() == [1, 1]


def test_path_score():
    """0.5 / 0.5^2 = 2; a way that raised the loss, or none at all, counts as 0.

    Where a parameter is back at its beginning the damping is all there is:
    0.5 / 0.25 = 2 again.
    """
    path, gap = tensor(0.5, -0.5, 0, 0), tensor(0.5, 0.5, 0.5, 0)
    assert torch.allclose(path_score(path, gap, 1e-20), tensor(2, 0, 0, 0), atol=1e-15)
    assert torch.allclose(path_score(path, gap, 0.25), tensor(1, 0, 0, 0), atol=1e-15)
    assert torch.allclose(path_score(tensor(0.5), tensor(0), 0.25), tensor(2))


def test_walk_score():
    """-(-2) * 0.5 / (0.5 * 4 * 0.25 + 1e-8) = 2; no move or no gradient is 0, uphill negative."""
    score = walk_score(tensor(-2, 2, -2, 0), tensor(0.5, 0.5, 0, 0.5), tensor(4, 4, 4, 4))
    assert torch.allclose(score, tensor(2, -2, 0, 0), atol=1e-6)


def test_firmness():
    """500 is what the published rate of 0.001 can follow; 0.02 can 25; at 0 there is no limit."""
    importance = tensor(0, 0.01, 1)
    assert clipped_strength(importance, 500.0, 0.001).tolist() == [0, 5, 500]
    assert clipped_strength(importance, 500.0, 0.02).tolist() == [0, 5, 25]
    assert clipped_strength(importance, 500.0, 0.0).tolist() == [0, 5, 500]


def test_the_firmest_goes_back_in_one_step():
    """If it fails, a large weight throws parameters to and fro until they are infinite."""
    gap = tensor(1, -2)
    _, gradient = quadratic_penalty(gap, clipped_strength(tensor(1, 1), 1e9, 0.02))
    assert torch.allclose(gap - 0.02 * gradient, tensor(0, 0), atol=1e-15)


def test_quadratic_penalty():
    """30 * 1 + 5 * 4 = 50, without a half; nothing where nothing moved."""
    value, gradient = quadratic_penalty(tensor(1, -2), tensor(30, 5))
    assert value == 50
    assert gradient.tolist() == [60, -20]
    value, gradient = quadratic_penalty(tensor(0, 0), tensor(30, 5))
    assert value == 0 and gradient.tolist() == [0, 0]


@pytest.mark.parametrize('shape', [(7,), (151, 64, 1, 1), (8, 4, 3, 3)])
def test_penalty_gradient_is_the_derivative(shape):
    """If it fails, the network is pulled to another place than the penalty says."""
    generator = torch.Generator().manual_seed(0)
    importance = torch.rand(shape, dtype=torch.float64, generator=generator)
    gap = torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_()
    value, gradient = quadratic_penalty(gap, 500 * importance)
    value.backward()
    assert torch.allclose(gap.grad, gradient, rtol=1e-12)


def test_matching_by_name():
    """New parameters are filled, those that are gone left out, layout and type are the model's."""
    conv = nn.Conv2d(3, 2, 3).to(memory_format=torch.channels_last)
    parameters = dict(kept=conv.weight, new=conv.bias)
    stored = dict(kept=torch.arange(54.0, dtype=torch.float64).view(2, 3, 3, 3), gone=torch.ones(1))
    found = copies_with_default(stored, parameters, 1.0)
    assert list(found) == ['kept', 'new']
    assert torch.equal(found['kept'], stored['kept'].float())
    assert found['kept'].is_contiguous(memory_format=torch.channels_last)
    assert found['new'].tolist() == [1, 1]
    assert not any(value.requires_grad for value in found.values())
    found['kept'].zero_()
    assert stored['kept'].sum() > 0, 'a copy'
    assert matching_copies({}, parameters) == {}


def test_another_shape_is_refused():
    """If it fails, a tensor of one value is spread over a whole parameter unnoticed."""
    parameters = dict(weight=nn.Parameter(torch.zeros(2, 3)))
    with pytest.raises(InvalidInputError, match=r'weight is \(1, 3\), the parameter is \(2, 3\)'):
        matching_copies(dict(weight=torch.ones(1, 3)), parameters)
