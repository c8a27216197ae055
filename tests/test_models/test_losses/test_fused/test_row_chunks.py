"""The fused losses by rows: where the rows are cut must not be seen in any number."""

import pytest
import torch

from incseg.models.losses.fused import row_chunks as scratch
from incseg.models.losses.fused.channel_groups import ChannelGroups, log_add_exp
from incseg.models.losses.fused.row_chunks import RowChunks, Scratch


@pytest.mark.parametrize('chunk', [1, 500, 1000, 1 << 19])
def test_where_it_is_cut_does_not_matter(chunk, monkeypatch):
    """If it fails, rows at the edge of a chunk lose loss or gradient."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 6, 4, 5, generator=generator, dtype=torch.float64)
    teacher = torch.randn(2, 4, 4, 5, generator=generator, dtype=torch.float64)
    target = torch.randint(0, 6, (2, 30, 37), generator=generator)
    runs = []
    for size in (1 << 30, chunk):
        monkeypatch.setattr(scratch, 'CHUNK', size)
        runs.append(
            RowChunks(6, 4, 4, True, 255, need_grad=True).run(logits, teacher, target, (30, 37))
        )
    for name, value in vars(runs[0]).items():
        torch.testing.assert_close(getattr(runs[1], name), value, rtol=1e-12, atol=1e-15)


def test_what_was_not_asked_for_is_none():
    """If it fails, an evaluation pays for gradients, or a missing term reads as zero."""
    logits = torch.zeros(1, 3, 2, 2)
    only = RowChunks(3, 0, 0, True, 255, need_grad=False).run(
        logits, None, torch.zeros(1, 4, 4).long(), (4, 4)
    )
    assert only.cross_entropy.item() == pytest.approx(torch.tensor(3.0).log().item())
    assert only.distillation is only.distillation_grad is only.cross_entropy_grad is None


def test_rows_fit_the_chunk(monkeypatch):
    """If it fails, the losses' memory grows with the image or the classes."""
    logits = torch.empty(2, 6, 4, 5)
    for chunk, rows in ((1, 1), (6 * 40 * 3, 3), (1 << 30, 32)):
        monkeypatch.setattr(scratch, 'CHUNK', chunk)
        made = Scratch(logits, 4, (32, 40), ['cross_entropy'])
        assert made.rows == rows
        assert made.student(1).shape == (1, 6, 40) and made.teacher(1).shape == (2, 1, 4, 40)
        assert made.wide_grads['cross_entropy'].shape == (4, 6 * 40)


@pytest.mark.parametrize('names, shared', [(['a'], True), (['a', 'b'], False), ([], True)])
def test_two_gradients_need_the_student_twice(names, shared):
    """If it fails, the distillation reads what the cross-entropy's gradient has overwritten."""
    made = Scratch(torch.empty(1, 3, 2, 2), 2, (4, 4), names)
    assert (made.grad(1).data_ptr() == made.student(1).data_ptr()) == shared


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
