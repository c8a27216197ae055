"""Medians from histograms: a threshold here decides which pixels are taught."""

from math import inf

import pytest
import torch

from incseg.models.labellers.entropy import class_medians, published_medians


def test_medians_of_drawn_values():
    """If it fails, more or fewer than half of a class's pixels are below its threshold."""
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(5, 1001, generator=generator, dtype=torch.float64) ** torch.tensor(
        [[1.0], [2.0], [4.0], [8.0], [0.3]]
    )
    bins = 10_000
    histograms = torch.stack(
        [torch.bincount((row * bins).long(), minlength=bins) for row in values]
    )
    found = class_medians(histograms)
    torch.testing.assert_close(found, values.median(1).values, rtol=0, atol=1 / bins)


@pytest.mark.parametrize(
    'counts, median',
    [
        ([4, 0, 0, 0], 0.125),
        ([0, 0, 0, 4], 0.875),
        ([1, 1, 1, 1], 0.5),
        ([2, 0, 0, 2], 0.25),
        ([1, 6, 1, 0], 0.375),
        ([1, 0, 0, 0], 0.125),
        ([0, 0, 0, 0], 0.0),
    ],
)
def test_medians_by_hand(counts, median):
    """If it fails, the bin is right but not the place in it, or an unseen class divides by zero."""
    assert class_medians(torch.tensor([counts])).item() == pytest.approx(median)


def test_many_pixels():
    """If it fails, half of the pixels of a large data set is rounded in float32."""
    count = 2**24 + 1
    histogram = torch.tensor([[count, 0, count, 2]])
    expected = (2 + 1 / count) / 4
    assert class_medians(histogram).item() == pytest.approx(expected, rel=1e-15)


#: counts, empty bins after them, what the published code returned
PUBLISHED = [
    ([4, 6], 3, 0.36666667461395264),
    ([10, 3], 1, 0.21666666865348816),
    ([2, 8, 2], 0, 0.5833333730697632),
    ([40, 60], 98, 0.018333332613110542),
    ([40, 20, 40], 97, -inf),
    ([4000, 2000, 4100], 97, inf),
    ([1, 0, 0, 1], 96, 0.009999999776482582),
    ([], 100, 0.0),
]


@pytest.mark.parametrize('counts, empty, median', PUBLISHED)
def test_published_values(counts, empty, median):
    """If it fails, `paper_code` is not what the published numbers were made with."""
    histogram = torch.tensor([[*counts, *[0] * empty]], dtype=torch.int64)
    assert published_medians(histogram).item() == median


def test_published_is_the_median_in_the_first_bin():
    """If it fails, the two differ where the published slip cannot matter."""
    histograms = torch.tensor([[60] + [40] + [0] * 98, [99] + [1] * 99])
    torch.testing.assert_close(
        published_medians(histograms), class_medians(histograms).float(), rtol=1e-6, atol=0
    )
    assert published_medians(torch.tensor([[40, 60]])) > class_medians(torch.tensor([[40, 60]]))
