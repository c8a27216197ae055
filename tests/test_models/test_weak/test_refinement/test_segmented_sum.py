"""Sums of runs, the long ones piece by piece, against one addition after the other."""

import pytest
import torch

from incseg.models.weak.refinement.bilateral_grid import BilateralGrid
from incseg.models.weak.refinement.segmented_sum import LONGEST, SegmentedSum


@pytest.mark.parametrize('longest', [2, 3, 256])
def test_sums_of_runs(longest):
    """If it fails, a pixel is filtered with other pixels' values, or twice.

    Runs of 1, of exactly one piece, of one entry more, and of several levels of pieces.
    """
    counts = torch.tensor([1, longest, longest + 1, 700, 2])
    entries = int(counts.sum())
    torch.manual_seed(0)
    rows = torch.randint(0, 50, (entries,))
    weights, values = torch.rand(entries, dtype=torch.float64), torch.rand(50, 3).double()
    found = SegmentedSum(rows, weights, counts, longest)(values)
    parts = (weights[:, None] * values[rows]).split(counts.tolist())
    torch.testing.assert_close(found, torch.stack([part.sum(0) for part in parts]))


def test_no_thread_adds_up_a_whole_sky():
    """If it fails, one thread of a GPU adds up the run of a flat picture while all others wait."""
    spread = BilateralGrid(torch.full((3, 60, 80), 9.0), 80.0, 13.0).spread
    assert int(spread.counts.max()) == 60 * 80 > LONGEST
    ends = [len(spread.rows), *(len(starts) for starts in spread.starts)]
    for starts, end in zip(spread.starts, ends):
        assert int(torch.cat([starts, torch.tensor([end])]).diff().max()) <= LONGEST
    assert len(spread.starts[-1]) == spread.counts.numel()
