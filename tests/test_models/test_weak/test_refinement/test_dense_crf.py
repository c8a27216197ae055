import numpy as np
import pytest
import torch

from incseg.errors import InvalidInputError
from incseg.models import DenseCRF
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
            "DenseCRF.backend is 'cpp', expected 'torch' or 'pydensecrf' or 'auto'",
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
