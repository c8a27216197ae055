"""The CRF and its filter, against the formulas."""

import math

import numpy as np
import pytest
import torch

from incseg.errors import InvalidInputError
from incseg.models import DenseCRF
from incseg.models.weak.refinement.bilateral_grid import BilateralGrid, _corner_shares
from incseg.models.weak.refinement.dense_crf import blur, gaussian
from incseg.registry import MODELS


@pytest.fixture
def scene():
    """Left half dark, right half bright, and scores that are unsure of it with a wrong spot."""
    image = torch.full((3, 24, 32), 60, dtype=torch.uint8)
    image[:, :, 16:] = 190
    scores = torch.full((2, 24, 32), 0.4)
    scores[0, :, :16] = scores[1, :, 16:] = 0.6
    scores[:, 10:12, 24:26] = torch.tensor([0.7, 0.3])[:, None, None]
    return image, scores


def test_labels_follow_the_image(scene):
    """The wrong spot is repaired and the edge stays where the image has it."""
    refined = DenseCRF().refine(*scene)
    assert refined.shape == scene[1].shape and refined.dtype == torch.float32
    torch.testing.assert_close(refined.sum(0), torch.ones(24, 32))
    expected = torch.arange(32).ge(16).long().expand(24, 32)
    assert (refined.argmax(0) == expected).all()


def test_without_pairwise_terms_it_is_the_unary(scene):
    """Limit: both weights 0, or no iteration: softmax of the clipped logarithms."""
    scores = scene[1].clone()
    scores[:, 0, 0] = torch.tensor([0.0, 2.0])
    expected = scores.clamp(1e-5, 1)
    expected = expected / expected.sum(0)
    for crf in (DenseCRF(gaussian_weight=0, bilateral_weight=0), DenseCRF(num_iters=0)):
        torch.testing.assert_close(crf.refine(scene[0], scores), expected)


def test_one_update_by_the_formula(scene):
    """Only the Gaussian over place, one update, float64 kernel matrix written plainly."""
    image, scores = scene[0][:, :9, :11], scene[1][:, :9, :11]
    got = DenseCRF(1, gaussian_sxy=2.0, gaussian_weight=1.5, bilateral_weight=0).refine(
        image, scores
    )
    y, x = np.mgrid[:9, :11].reshape(2, -1)
    far = (y[:, None] - y) ** 2 + (x[:, None] - x) ** 2
    kernel = np.exp(-far / 8)
    root = np.sqrt(kernel.sum(1))
    kernel /= root[:, None] * root
    p = np.clip(scores.double().numpy().reshape(2, -1), 1e-5, 1)
    logits = np.log(p) + 1.5 * (p / p.sum(0)) @ kernel
    expected = np.exp(logits) / np.exp(logits).sum(0)
    np.testing.assert_allclose(got.reshape(2, -1), expected, rtol=1e-4)


def test_blur_worked_by_hand():
    """A point in the middle of 5x7: the product of two Gaussians, and rows are not columns."""
    values = torch.zeros(35, 2)
    values[17, 1] = 1
    matrices = [gaussian(n, 2.0, torch.device('cpu')) for n in (5, 7)]
    out = blur(values, *matrices).view(5, 7, 2)
    assert not out[..., 0].any()
    torch.testing.assert_close(out[2, :, 1], torch.exp(-(torch.arange(-3.0, 4) ** 2) / 8))
    torch.testing.assert_close(out[0, 0, 1], torch.tensor(np.exp(-13 / 8), dtype=torch.float32))


def test_close_to_pydensecrf(scene):
    """Against the C++ code, where it is installed: at least 98 % of the labels are the same."""
    pytest.importorskip('pydensecrf', reason='pydensecrf2 is an extra: incseg[crf]')
    smooth = torch.nn.functional.interpolate(
        torch.rand(1, 3, 6, 8, generator=torch.Generator().manual_seed(1)),
        (60, 80),
        mode='bicubic',
        align_corners=False,
    )[0]
    image = (smooth * 255).clamp(0, 255).to(torch.uint8)
    scores = (smooth + 0.3 * torch.rand(3, 60, 80)).softmax(0)
    labels = [
        DenseCRF(backend=name).refine(image, scores).argmax(0) for name in ('torch', 'pydensecrf')
    ]
    assert (labels[0] == labels[1]).float().mean() >= 0.98


def test_arguments(monkeypatch):
    """The backend falls back only when it is told to; the rest is refused by name."""
    monkeypatch.setattr('incseg.models.weak.refinement.dense_crf.find_spec', lambda name: None)
    assert MODELS.build(dict(type='DenseCRF', backend='auto')).backend == 'torch'
    with pytest.raises(InvalidInputError, match="'pydensecrf' is not installed: .*incseg.crf"):
        DenseCRF(backend='pydensecrf')


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (
            dict(backend='cpp'),
            "DenseCRF.backend is 'cpp', expected 'torch', 'pydensecrf' or 'auto'",
        ),
        (dict(num_iters=-1), 'DenseCRF.num_iters is -1, expected a whole number of at least 0'),
        (dict(num_iters=1.5), 'DenseCRF.num_iters is 1.5, expected a whole'),
        (dict(gaussian_sxy='a'), "DenseCRF.gaussian_sxy is 'a', expected a number above 0"),
        (
            dict(gaussian_weight=-1),
            'DenseCRF.gaussian_weight is -1, expected a number of at least 0',
        ),
        (dict(bilateral_sxy=None), 'DenseCRF.bilateral_sxy is None, expected a number'),
        (dict(bilateral_srgb=0), 'DenseCRF.bilateral_srgb is 0, expected a number above 0'),
        (dict(bilateral_weight=float('nan')), 'DenseCRF.bilateral_weight is nan, expected'),
    ],
)
def test_bad_arguments(arguments, message):
    """Said when it is built; later, hours of training would be lost."""
    with pytest.raises(InvalidInputError, match=message):
        DenseCRF(**arguments)


@pytest.fixture
def image():
    torch.manual_seed(0)
    smooth = torch.nn.functional.interpolate(
        torch.rand(1, 3, 3, 4) * 200, (18, 24), mode='bicubic', align_corners=False
    )[0]
    return smooth.clamp(0, 255).round()


def kernel_of(image, sxy, srgb):
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
        truth = kernel_of(image, sxy * factor, srgb * factor)
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
