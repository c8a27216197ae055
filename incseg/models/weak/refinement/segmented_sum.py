"""Sums of runs of weighted rows, long runs piece by piece."""

import torch
import torch.nn.functional as F
from torch import Tensor

#: entries that are added one after the other; longer runs are cut into pieces of so many
LONGEST = 256


class SegmentedSum:
    """Sums runs of weighted rows: ``segmented_sum(values)`` is one row for each run.

    Entry ``e`` stands for ``weights[e] * values[rows[e]]``, and consecutive entries form runs.  On
    a GPU one thread would add up a whole run, and all others would wait for the longest.  So long
    runs are cut into pieces, the sums of the pieces into pieces again, until all are short: a run
    of 100,000 entries takes 256 additions, then 391 in two pieces, then 2.  There are no atomic
    additions, so results repeat bit for bit.

    Args:
        rows: int64 ``(entries,)``: the row of ``values`` that an entry reads.
        weights: float ``(entries,)``.
        counts: int64 ``(runs,)``: the number of entries of each run, at least 1.
        longest: Entries that are added one after the other, at least 2.
    """

    def __init__(self, rows: Tensor, weights: Tensor, counts: Tensor, longest: int = LONGEST):
        self.rows, self.weights, self.counts = rows, weights, counts
        #: for each level, where the pieces of the entries, or of the last level's sums, start
        self.starts: list[Tensor] = []
        while True:
            pieces = (counts + longest - 1) // longest
            run = torch.arange(len(counts), device=counts.device).repeat_interleave(pieces)
            before = (pieces.cumsum(0) - pieces)[run]
            place = torch.arange(len(run), device=counts.device) - before
            self.starts.append((counts.cumsum(0) - counts)[run] + longest * place)
            if len(run) == len(counts):
                return
            counts = pieces

    def __call__(self, values: Tensor) -> Tensor:
        """Return the sums of the runs.

        Args:
            values: float ``(N, C)``.

        Returns:
            ``(runs, C)``.
        """
        first, *others = self.starts
        sums = F.embedding_bag(
            self.rows, values, first, mode='sum', per_sample_weights=self.weights
        )
        for starts in others:
            every = torch.arange(len(sums), device=sums.device)
            sums = F.embedding_bag(every, sums, starts, mode='sum')
        return sums
