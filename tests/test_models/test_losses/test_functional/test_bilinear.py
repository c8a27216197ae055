"""Resizing as a matrix: it must be what F.interpolate does, at every size."""
import pytest
import torch
import torch.nn.functional as F

from incseg.models.losses.functional.bilinear import bilinear_matrix, source_rows, widen

SIZES = [(8, 64), (5, 13), (7, 7), (1, 9), (6, 4), (3, 1)]


@pytest.mark.parametrize('source, target', SIZES)
def test_is_interpolate(source, target):
    """If it fails, the fused losses see other logits than the plain ones."""
    x = torch.randn(2, 3, source, 4, dtype=torch.float64)
    matrix = bilinear_matrix(source, target, torch.float64)
    expected = F.interpolate(x, (target, 4), mode='bilinear', align_corners=False)
    torch.testing.assert_close(torch.einsum('ys,ncsx->ncyx', matrix, x), expected)
    torch.testing.assert_close(matrix.sum(1), torch.ones(target, dtype=torch.float64))


@pytest.mark.parametrize('source, target', SIZES)
def test_source_rows_are_enough(source, target):
    """If it fails, a chunk of rows misses some of what it is made of."""
    matrix = bilinear_matrix(source, target)
    for start in range(target):
        for stop in range(start + 1, target + 1):
            used = source_rows(source, target, start, stop)
            left = matrix[start:stop].clone()
            left[:, used] = 0
            assert not left.any() and 0 <= used.start < used.stop <= source


def test_a_chunk_of_an_upsampling_reads_few_rows():
    """If it fails, every chunk multiplies the whole image."""
    used = source_rows(64, 512, 100, 108)
    assert used.stop - used.start <= 3


def test_widen():
    """If it fails, rows, channels or columns of the losses and of the label maps are mixed up."""
    x = torch.randn(3, 4, 5, dtype=torch.float64)
    wide = widen(x, bilinear_matrix(5, 11, torch.float64))
    expected = F.interpolate(x[None], (4, 11), mode='bilinear', align_corners=False)[0]
    torch.testing.assert_close(wide.view(4, 3, 11), expected.transpose(0, 1))
