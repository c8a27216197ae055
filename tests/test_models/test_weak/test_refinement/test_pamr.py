"""Refinement by colour, and none."""

import numpy as np
import pytest
import torch

from incseg.errors import InvalidInputError
from incseg.models import PAMR
from incseg.registry import MODELS

DILATIONS = (1, 2, 3)


def plain(image, scores, dilations, num_iters):
    """The formula pixel by pixel, float64 NumPy: ``image (3, H, W)``, ``scores (C, H, W)``."""
    height, width = image.shape[1:]
    moves = [(dy * d, dx * d) for d in dilations for dy in (-1, 0, 1) for dx in (-1, 0, 1)]

    def at(maps, y, x):
        return maps[:, min(max(y, 0), height - 1), min(max(x, 0), width - 1)]

    for _ in range(num_iters):
        after = np.empty_like(scores)
        for y in range(height):
            for x in range(width):
                window = np.stack([at(image, y + dy, x + dx) for dy, dx in moves])
                scale = 1e-8 + 0.1 * window.std(0, ddof=1)
                around = [(dy, dx) for dy, dx in moves if (dy, dx) != (0, 0)]
                logits = np.array(
                    [
                        np.mean(-np.abs(image[:, y, x] - at(image, y + dy, x + dx)) / scale)
                        for dy, dx in around
                    ]
                )
                weights = np.exp(logits - logits.max())
                weights /= weights.sum()
                after[:, y, x] = sum(
                    w * at(scores, y + dy, x + dx) for w, (dy, dx) in zip(weights, around)
                )
        scores = after
    return scores


@pytest.fixture
def scene():
    rng = np.random.default_rng(0)
    scores = rng.random((3, 6, 7))
    return rng.integers(0, 256, (3, 6, 7)).astype(np.float64), scores / scores.sum(0)


def test_equals_the_formula(scene):
    """Three iterations against float64 written pixel by pixel, replicated borders included."""
    image, scores = scene
    refined = PAMR(3, DILATIONS).refine(torch.from_numpy(image), torch.from_numpy(scores))
    np.testing.assert_allclose(
        refined.numpy(), plain(image, scores, DILATIONS, 3), rtol=1e-10, atol=1e-12
    )


def test_constant_image_is_a_mean_over_the_neighbours():
    """Without colour every neighbour counts the same: one bright pixel spreads to the eight
    around it as 1/8 each, and keeps nothing."""
    scores = torch.zeros(1, 5, 5)
    scores[0, 2, 2] = 1
    refined = PAMR(1, (1,)).refine(torch.full((3, 5, 5), 90, dtype=torch.uint8), scores)
    expected = torch.zeros(1, 5, 5)
    expected[0, 1:4, 1:4] = 1 / 8
    expected[0, 2, 2] = 0
    torch.testing.assert_close(refined, expected)


def test_sum_scale_and_batch(scene):
    """The sum over the classes stays 1, the image's scale does not matter, and a batch is its
    images one by one."""
    image, scores = (torch.from_numpy(part).float() for part in scene)
    pamr = PAMR()
    refined = pamr.refine(image, scores)
    torch.testing.assert_close(refined.sum(0), torch.ones(6, 7))
    torch.testing.assert_close(pamr.refine(image / 255, scores), refined, rtol=1e-4, atol=1e-5)
    both = pamr.refine_batch(torch.stack([image.flip(2), image]), torch.stack([scores, scores]))
    torch.testing.assert_close(both[1], refined)


def test_borders_of_colour_stop_it():
    """Scores stay on their side of an edge of the image."""
    image = torch.zeros(3, 8, 8, dtype=torch.uint8)
    image[:, :, 4:] = 200
    scores = torch.zeros(2, 8, 8)
    scores[0, :, :4] = scores[1, :, 4:] = 1
    scores[:, 3, 6] = torch.tensor([1.0, 0.0])  # a hole in the right half
    refined = PAMR(3, (1,)).refine(image, scores)
    assert refined[1, 3, 6] > 0.9 and refined[0, :, :4].min() > 0.9


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(num_iters=-1), 'PAMR.num_iters is -1, expected a whole number of at least 0'),
        (dict(num_iters='a'), "PAMR.num_iters is 'a', expected a whole number"),
        (dict(dilations=()), r'PAMR.dilations is \(\), expected a list of one or more'),
        (
            dict(dilations=(1, 0)),
            r'PAMR.dilations is \(1, 0\), expected .* whole number of at least 1',
        ),
        (dict(dilations=None), 'PAMR.dilations is None'),
        (dict(dilations=(1.5,)), r'PAMR.dilations is \(1.5,\)'),
    ],
)
def test_bad_arguments(arguments, message):
    """Said when it is built; later, hours of training would be lost."""
    with pytest.raises(InvalidInputError, match=message):
        PAMR(**arguments)


def test_nothing_changes():
    """The default must not even copy."""
    scores = torch.rand(3, 4, 5)
    refinement = MODELS.build(dict(type='NoRefinement'))
    assert refinement.refine(torch.zeros(3, 4, 5, dtype=torch.uint8), scores) is scores
