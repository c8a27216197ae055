"""Chunking: where the rows are cut must not be seen in any number."""

import pytest
import torch

from incseg.models.losses.fused import row_chunks as scratch
from incseg.models.losses.fused.row_chunks import RowChunks


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
