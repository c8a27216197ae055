import pytest
import torch

from incseg.models.weak.functional import resize_corners


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
def test_types(given, result):
    """If it fails, maps of a network under autocast are normalised in bfloat16."""
    maps = torch.ones(1, 1, 2, 2, dtype=given)
    assert resize_corners(maps, (2, 2)).dtype == resize_corners(maps, (5, 5)).dtype == result
