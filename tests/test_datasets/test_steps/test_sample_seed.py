import random

import numpy as np
import pytest
import torch

from incseg.datasets.steps.sample_seed import sample_seed


def draw():
    return np.random.rand(), random.random(), torch.rand(1).item()


def test_same_seed_same_draws_and_state_comes_back():
    """Otherwise a sample depends on what was loaded before it, and resuming changes it."""
    np.random.seed(1)
    random.seed(1)
    torch.manual_seed(1)
    expected = draw(), draw()
    np.random.seed(1)
    random.seed(1)
    torch.manual_seed(1)
    first = draw()
    inside = []
    for _ in range(2):
        with sample_seed(2**32 - 1):
            inside.append(draw())
    assert inside[0] == inside[1]
    assert (first, draw()) == expected


def test_state_comes_back_after_an_error():
    """A sample that fails must not reseed the rest of the process."""
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    with pytest.raises(ZeroDivisionError), sample_seed(5):
        raise ZeroDivisionError
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_none_changes_nothing_and_torch_is_left_alone():
    """Dropout in the main process must not be reseeded by every sample."""
    np.random.seed(1)
    with sample_seed(None):
        value = np.random.rand()
    np.random.seed(1)
    assert np.random.rand() == value
    before = torch.get_rng_state()
    with sample_seed(5):
        pass
    assert torch.equal(torch.get_rng_state(), before)
