"""Bringing the kernel's results together: every corner's gradient must reach its logit."""

import pytest
import torch

pytest.importorskip('triton', reason='Triton comes with the CUDA builds of torch')
triton_losses = pytest.importorskip('incseg.models.losses.fused.triton_losses')


@pytest.mark.parametrize('height, width', [(1, 1), (3, 2), (2, 5)])
def test_fold_corners(height, width):
    """If it fails, logits at the border or at a corner learn too little or twice."""
    corners = torch.randn(2, height + 1, width + 1, 2, 2, 2, 3, dtype=torch.float64)
    expected = torch.zeros(2, height, width, 2, 3, dtype=torch.float64)
    for row in range(height + 1):
        for column in range(width + 1):
            for down in range(2):
                for across in range(2):
                    y = min(max(row - 1 + down, 0), height - 1)
                    x = min(max(column - 1 + across, 0), width - 1)
                    expected[:, y, x] += corners[:, row, column, :, down, across]
    torch.testing.assert_close(triton_losses.fold_corners(corners), expected)
