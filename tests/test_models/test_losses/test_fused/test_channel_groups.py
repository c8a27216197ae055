"""Groups of channels: their log-sum-exps must hold where numbers are far apart."""

import pytest
import torch

from incseg.models.losses.fused.channel_groups import ChannelGroups, log_add_exp


@pytest.mark.parametrize(
    'channels, cuts, expected',
    [
        (6, (4,), [(0, 1), (1, 4), (4, 6)]),
        (6, (0, 0), [(0, 1), (1, 6)]),
        (6, (6, 4), [(0, 1), (1, 4), (4, 6)]),
        (6, (3, 5), [(0, 1), (1, 3), (3, 5), (5, 6)]),
        (1, (1,), [(0, 1)]),
    ],
)
def test_slices(channels, cuts, expected):
    """If it fails, a class is in two groups or in none."""
    assert [(s.start, s.stop) for s in ChannelGroups(channels, cuts).slices] == expected


def test_count_below():
    """If it fails, old classes are taken for new ones."""
    groups = ChannelGroups(6, (3, 5))
    assert [groups.count_below(cut) for cut in (0, 1, 3, 5, 6)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize('shift', [0.0, 1e4, -1e4])
def test_far_apart(shift):
    """If it fails, a group 10,000 below another underflows to a loss of infinity."""
    logits = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0))
    logits[:, 4:] += shift
    groups = ChannelGroups(6, (4,))
    parts = logits.clone()
    peaks, lse = groups.exp_(parts)
    for i, group in enumerate(groups.slices):
        torch.testing.assert_close(lse[i], logits[:, group].logsumexp(1))
        torch.testing.assert_close(parts[:, group], (logits[:, group] - peaks[i][:, None]).exp())
    factors = torch.rand(3, 2, 5)
    scaled = groups.scale(parts, factors, torch.empty_like(parts))
    torch.testing.assert_close(scaled[:, 1:4], parts[:, 1:4] * factors[1][:, None])
    torch.testing.assert_close(log_add_exp(lse), logits.logsumexp(1))
