"""Class activation maps: normalised, with a background, resized."""

import pytest
import torch

from incseg.models.weak.functional import cam_scores, max_norm, resize_corners


def test_max_norm_worked_example():
    """Negative is 0, the lowest value 0, the highest 1 (but for 2e-5 of the range)."""
    maps = torch.tensor([[[[-3.0, 1.0, 3.0]], [[2.0, 4.0, 6.0]]]], dtype=torch.float64)
    expected = torch.tensor(
        [
            [
                [[0.0, (1 - 1e-5) / (3 + 1e-5), (3 - 1e-5) / (3 + 1e-5)]],
                [[0.0, (2 - 1e-5) / (4 + 1e-5), (4 - 1e-5) / (4 + 1e-5)]],
            ]
        ],
        dtype=torch.float64,
    )
    torch.testing.assert_close(max_norm(maps), expected, rtol=0, atol=1e-15)


def test_max_norm_gradient():
    """The gradient passes through minimum and maximum; if not, ER pulls maps up without end."""
    maps = torch.rand(2, 3, 4, 5, dtype=torch.float64) + 0.1
    assert torch.autograd.gradcheck(max_norm, maps.requires_grad_())


def test_empty_and_constant_maps():
    """A map without any positive value, or all alike, is 0 and not NaN, and so is its gradient."""
    maps = torch.stack([torch.zeros(3, 4), -torch.ones(3, 4), torch.full((3, 4), 7.0)])[None]
    maps.requires_grad_()
    normed = max_norm(maps)
    normed.sum().backward()
    assert not normed.any() and not maps.grad.isnan().any()
    scores = cam_scores(maps[:, :2])
    assert (scores[:, 0] == 1).all() and not scores[:, 1:].any()


def test_cam_scores_worked_example():
    """Each class over its maximum; the background is what the best leaves; only the best stays."""
    activations = torch.tensor([[[[4.0, 1.0, -2.0]], [[1.0, 2.0, 0.0]]]], dtype=torch.float64)
    scores = cam_scores(activations)[0, :, 0]
    first, second = (4 - 1e-5) / (4 + 1e-5), (2 - 1e-5) / (2 + 1e-5)
    expected = torch.tensor(
        [[1 - first, 1 - second, 1.0], [first, 0.0, 0.0], [0.0, second, 0.0]], dtype=torch.float64
    )
    torch.testing.assert_close(scores, expected, rtol=0, atol=1e-15)


def test_classes_of_equal_score_both_stay():
    """As published: what is not below the best is kept."""
    scores = cam_scores(torch.ones(1, 2, 1, 1))
    assert scores[0, 1] == scores[0, 2] > 0.99


@pytest.mark.parametrize('function', [max_norm, cam_scores])
def test_half_types_become_float32(function):
    """If it fails, eps of 1e-5 vanishes in bfloat16 and a constant map is divided by 0."""
    maps = torch.rand(1, 2, 3, 3)
    half = maps.to(torch.bfloat16)
    assert function(half).dtype == torch.float32
    assert torch.equal(function(half), function(half.float()))


def test_corners_stay_and_the_middle_is_halfway():
    """If it fails, maps are shifted against each other where SEAM compares them."""
    maps = torch.tensor([[[[0.0, 2.0], [4.0, 6.0]]]])
    assert resize_corners(maps, (3, 3))[0, 0].tolist() == [[0, 1, 2], [2, 3, 4], [4, 5, 6]]


@pytest.mark.parametrize(
    ('given', 'result'),
    [
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_types_of_resized_maps(given, result):
    """If it fails, maps of a network under autocast are normalised in bfloat16."""
    maps = torch.ones(1, 1, 2, 2, dtype=given)
    assert resize_corners(maps, (2, 2)).dtype == resize_corners(maps, (5, 5)).dtype == result
