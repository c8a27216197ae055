"""What one forward pass returns: the shared full-size logits."""

import torch
import torch.nn.functional as F

from incseg.structures import NetworkOutputs
from incseg.structures.network_outputs import upsample


def test_full_size_is_bilinear_and_computed_once():
    """If it fails, losses read shifted logits, or each loss pays for its own up-sampling."""
    logits = torch.randn(2, 3, 4, 5)
    outputs = NetworkOutputs((), {'head': logits, 'other': logits + 1}, (32, 37))
    full = outputs.full_size('head')
    expected = F.interpolate(logits, (32, 37), mode='bilinear', align_corners=False)
    torch.testing.assert_close(full, expected)
    assert outputs.full_size('head') is full
    torch.testing.assert_close(outputs.full_size('other'), expected + 1)


def test_two_outputs_do_not_share():
    """If it fails, the student's losses read the teacher's logits."""
    first, second = (
        NetworkOutputs((), {'head': torch.full((1, 1, 2, 2), v)}, (4, 4)) for v in (1.0, 2.0)
    )
    assert first.full_size('head').unique().tolist() == [1]
    assert second.full_size('head').unique().tolist() == [2]


def test_worked_example():
    """If it fails, the pixel grid is align_corners=True, half a cell off the labels."""
    row = upsample(torch.tensor([0.0, 1.0]).view(1, 1, 1, 2), (1, 4)).flatten()
    torch.testing.assert_close(row, torch.tensor([0, 0.25, 0.75, 1]))


def test_precision():
    """If it fails, half-precision logits are interpolated in half, or float64 is cut."""
    for given, result in (
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
        (torch.float64, torch.float64),
    ):
        logits = torch.randn(1, 2, 3, 3).to(given)
        for size in ((3, 3), (6, 6)):
            assert upsample(logits, size).dtype == result
    same = torch.randn(1, 2, 3, 3)
    assert upsample(same, (3, 3)) is same


def test_gradient_reaches_the_low_resolution():
    """If it fails, the cached tensor is cut from the graph and nothing trains."""
    logits = torch.zeros(1, 1, 2, 2, requires_grad=True)
    outputs = NetworkOutputs((), {'head': logits}, (8, 8))
    (outputs.full_size('head').sum() + outputs.full_size('head').sum()).backward()
    torch.testing.assert_close(logits.grad, torch.full((1, 1, 2, 2), 32.0))
