"""Precision: losses must be computed in float32 whatever the network runs in."""

import pytest
import torch

from incseg.utils.precision import at_least_float32


@pytest.mark.parametrize(
    ('given', 'result'),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_dtype(given, result):
    """If it fails, half types reach a logsumexp, or float64 checks lose their digits."""
    x = torch.ones(2, dtype=given)
    assert at_least_float32(x).dtype == result
    assert (at_least_float32(x) is x) == (given == result)
