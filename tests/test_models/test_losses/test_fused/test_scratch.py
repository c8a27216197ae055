"""The memory of the chunks: what is shared and what must not be."""

import pytest
import torch

from incseg.models.losses.fused import row_chunks as scratch
from incseg.models.losses.fused.row_chunks import Scratch


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
