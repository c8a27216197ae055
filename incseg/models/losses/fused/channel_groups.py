"""Log-sum-exps of groups of channels, of which all fused losses are composed."""

from collections.abc import Iterable

import torch
from torch import Tensor


class ChannelGroups:
    """Groups of consecutive channels that a loss treats in the same way: background, old, new.

    Every quantity of the losses is computed from each group's log-sum-exp, one map
    per group, so that the work per channel is one exponential.  Each group is
    shifted by its own peak: no exponential overflows, and a group whose logits are
    far below another's does not underflow.

    Args:
        num_channels: ``C``.
        cuts: First channels of groups, in addition to 0 and 1; others than 1..C-1 are ignored.
    """

    def __init__(self, num_channels: int, cuts: Iterable[int]):
        edges = sorted({0, 1, num_channels, *(cut for cut in cuts if 0 < cut < num_channels)})
        self.slices = [slice(a, b) for a, b in zip(edges, edges[1:])]

    def count_below(self, channel: int) -> int:
        """Return the number of groups that end at or before a channel."""
        return sum(group.stop <= channel for group in self.slices)

    def exp_(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Replace logits by ``exp(logit - peak of its group)``, in place.

        Args:
            logits: ``(R, C, W)``; it is changed.

        Returns:
            Peaks (largest logits) and log-sum-exps of the groups, ``(groups, R, W)`` each.
        """
        peaks = logits.new_empty(len(self.slices), logits.shape[0], logits.shape[2])
        sums = torch.empty_like(peaks)
        for i, group in enumerate(self.slices):
            part = logits[:, group]
            torch.amax(part, 1, out=peaks[i])
            part.sub_(peaks[i].unsqueeze(1)).exp_()
            torch.sum(part, 1, out=sums[i])
        return peaks, sums.log_().add_(peaks)

    def scale(self, parts: Tensor, factors: Tensor, out: Tensor) -> Tensor:
        """Multiply each channel by the map of its group.

        Args:
            parts: ``(R, C, W)``.
            factors: ``(groups, R, W)``.
            out: ``(R, C, W)``, gets the result; it may be ``parts``.

        Returns:
            ``out``.
        """
        for i, group in enumerate(self.slices):
            torch.mul(parts[:, group], factors[i].unsqueeze(1), out=out[:, group])
        return out


def log_add_exp(maps: Tensor) -> Tensor:
    """Return the log of the sum of exponentials over groups.

    Args:
        maps: ``(groups, R, W)``, log-sum-exps of one or more groups; not changed.

    Returns:
        ``(R, W)``; for one group a view of ``maps``.
    """
    total = maps[0]
    for other in maps[1:]:
        total = torch.logaddexp(total, other)
    return total
