"""Resizing as a matrix: it must be what F.interpolate does, at every size."""

import pytest
import torch
import torch.nn.functional as F

from incseg.models.losses.fused.bilinear import (
    BAND,
    bands,
    bilinear_matrix,
    narrow,
    source_of,
    widen,
)

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
            used = source_of(matrix[start:stop])
            left = matrix[start:stop].clone()
            left[:, used] = 0
            assert not left.any() and 0 <= used.start < used.stop <= source


def test_a_chunk_of_an_upsampling_reads_few_rows():
    """If it fails, every chunk multiplies the whole image."""
    used = source_of(bilinear_matrix(64, 512)[100:108])
    assert used.stop - used.start <= 3


WIDTHS = [(5, 11), (9, 300), (40, 128), (3, 129), (300, 20)]


@pytest.mark.parametrize('source, target', WIDTHS)
def test_widen(source, target):
    """If it fails, rows, channels or columns of the losses and of the label maps are mixed up."""
    x = torch.randn(3, 4, source, dtype=torch.float64)
    wide = widen(x, bilinear_matrix(source, target, torch.float64))
    expected = F.interpolate(x[None], (4, target), mode='bilinear', align_corners=False)[0]
    torch.testing.assert_close(wide.view(4, 3, target), expected.transpose(0, 1))


@pytest.mark.parametrize('source, target', WIDTHS)
def test_narrow_is_the_gradient_of_widen(source, target):
    """If it fails, the losses' gradients lie elsewhere than their values."""
    across = bilinear_matrix(source, target, torch.float64)
    x = torch.randn(3, 4, source, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(3, 4, target, dtype=torch.float64)
    F.interpolate(x[None], (4, target), mode='bilinear', align_corners=False).backward(
        upstream[None]
    )
    found = narrow(upstream.transpose(0, 1).reshape(4, -1), across)
    torch.testing.assert_close(found, x.grad)


def test_a_band_reads_few_columns():
    """If it fails, widening costs the width squared."""
    across = bilinear_matrix(256, 2048)
    read = [source_of(across[band]) for band in bands(across)]
    assert max(used.stop - used.start for used in read) <= BAND // 8 + 2
