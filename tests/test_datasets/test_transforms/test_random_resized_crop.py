import numpy as np
import pytest
import torch
from torchvision.transforms import RandomResizedCrop as Reference

from incseg.datasets import RandomResizedCrop
from incseg.errors import InvalidInputError


@pytest.mark.parametrize(('height', 'width'), [(60, 80), (100, 30)])
def test_windows_are_distributed_as_torchvisions(height, width):
    """Kolmogorov-Smirnov distance of top, left, height and width over 3,000 draws each: equal
    laws stay below 0.05 (p < 0.001).  Area drawn wrongly (side instead of area, say), or another
    fallback, is far above."""
    np.random.seed(0)
    torch.manual_seed(0)
    ours = RandomResizedCrop(32)
    image = torch.zeros(3, height, width)
    mine = np.array([ours.window(height, width) for _ in range(3000)])
    theirs = np.array(
        [Reference.get_params(image, [0.5, 2.0], [3 / 4, 4 / 3]) for _ in range(3000)]
    )
    for column in range(4):
        grid = np.unique(theirs[:, column])
        below = [np.searchsorted(np.sort(w[:, column]), grid, 'right') for w in (mine, theirs)]
        assert np.abs(below[0] - below[1]).max() / 3000 < 0.05


@pytest.mark.parametrize(
    ('height', 'width', 'window'),
    [
        (60, 80, (0, 0, 60, 80)),  # ratio allowed: the whole image
        (60, 300, (0, 110, 60, 80)),  # too wide: 60 * 4/3 in the middle
        (200, 30, (80, 0, 40, 30)),  # too tall: 30 / (3/4) in the middle
    ],
)
def test_fallback_to_the_centre(height, width, window):
    """Shares above 1 never fit, so that torchvision's fallback is what MiB trains on."""
    assert RandomResizedCrop(32, scale=(3.0, 4.0)).window(height, width) == window
    image = torch.zeros(3, height, width)
    assert Reference.get_params(image, [3.0, 4.0], [3 / 4, 4 / 3]) == window


def test_window_has_at_least_one_pixel():
    """Extreme ratios of tiny images must not cut nothing."""
    assert RandomResizedCrop(4, scale=(9, 9), ratio=(0.01, 0.1)).window(1, 50)[2:] == (1, 1)


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(size=0), 'size of RandomResizedCrop is 0'),
        (dict(size=8, scale=(2.0, 0.5)), r'scale of RandomResizedCrop is \(2.0, 0.5\)'),
        (dict(size=8, ratio=(0.0, 1.0)), 'ratio of RandomResizedCrop'),
    ],
)
def test_bad_arguments(kwargs, message):
    """Named with what is allowed."""
    with pytest.raises(InvalidInputError, match=message):
        RandomResizedCrop(**kwargs)
