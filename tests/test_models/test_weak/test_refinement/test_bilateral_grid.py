import math

import pytest
import torch

from incseg.models.weak.refinement.bilateral_grid import BilateralGrid, _corner_shares


@pytest.fixture
def image():
    torch.manual_seed(0)
    smooth = torch.nn.functional.interpolate(
        torch.rand(1, 3, 3, 4) * 200, (18, 24), mode='bicubic', align_corners=False
    )[0]
    return smooth.clamp(0, 255).round()


def gaussian(image, sxy, srgb):
    """The kernel itself, ``(pixels, pixels)``, float64."""
    height, width = image.shape[1:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing='ij')
    points = torch.stack([y / sxy, x / sxy, *(image / srgb)]).flatten(1).double().T
    return torch.exp(-(torch.cdist(points, points) ** 2) / 2)


def test_close_to_the_kernel(image):
    """Normalised as the CRF does, the filter is near the true Gaussian; with a wrong width it is
    not.  A bound on an approximation, not on rounding."""
    sxy, srgb = 6.0, 20.0
    values = torch.rand(image[0].numel(), 3)
    values[:, 0] = (image[0] > image[0].median()).flatten()

    def normalised(kernel, values):
        scale = kernel(torch.ones(len(values), 1, dtype=values.dtype)).rsqrt()
        return scale * kernel(values * scale)

    got = normalised(BilateralGrid(image, sxy, srgb), values)
    errors = []
    for factor in (1.0, 1.4, 0.7):
        truth = gaussian(image, sxy * factor, srgb * factor)
        expected = normalised(lambda v, k=truth: k @ v, values.double())
        errors.append(float((got - expected).abs().mean() / expected.abs().mean()))
    assert errors[0] < 0.05 and errors[0] < min(errors[1:]) / 2, errors


def test_one_colour_worked_by_hand():
    """A pixel on a grid point: it splats all its value there, 5 taps along 5 axes blur it, and
    only the central taps reach the point again: the product of the five central taps."""
    grid = BilateralGrid(torch.zeros(3, 1, 1), 10.0, 10.0)
    tap = 1 / (1 + 2 * math.exp(-0.75) + 2 * math.exp(-3))
    assert grid.num_points == 32
    torch.testing.assert_close(grid(torch.ones(1, 1)), torch.full((1, 1), tap**5))


def test_shares_are_linear():
    """Two axes of five, by hand; all of them sum to 1."""
    fraction = torch.tensor([[0.0], [0.0], [0.0], [0.25], [0.5]])
    shares = _corner_shares(fraction)
    assert shares[0, :4].tolist() == [0.375, 0.375, 0.125, 0.125] and shares[0, 4:].sum() == 0
    torch.testing.assert_close(_corner_shares(torch.rand(5, 9)).sum(1), torch.ones(9))


def test_channels_are_filtered_alike(image):
    """Each class by itself; the filter is linear."""
    grid = BilateralGrid(image, 6.0, 20.0)
    a, b = torch.rand(2, image[0].numel(), 2)
    torch.testing.assert_close(grid(a + 2 * b), grid(a) + 2 * grid(b))
    torch.testing.assert_close(grid(a)[:, :1], grid(a[:, :1]))


def test_few_points(image):
    """Points grow with what is in the image, not with the volume of the colours."""
    assert BilateralGrid(torch.full((3, 18, 24), 9.0), 80.0, 13.0).num_points <= 32
    busy = torch.randint(0, 256, (3, 18, 24)).float()
    assert BilateralGrid(busy, 80.0, 13.0).num_points <= 32 * 18 * 24
