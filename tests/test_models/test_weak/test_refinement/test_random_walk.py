import math

import torch

from incseg.models.weak.refinement.affinity_pairs import offsets, pixel_affinities, sources
from incseg.models.weak.refinement.affinity_random_walk import random_walk, transition_matrix

SIZE = (11, 12)


def transition(exponent=8.0):
    torch.manual_seed(0)
    features = torch.randn(1, 4, *SIZE, dtype=torch.float64)
    return transition_matrix(pixel_affinities(features)[0], SIZE, exponent), features[0]


def test_equals_the_formula():
    """Pixel by pixel, float64: each source with its 34 neighbours, itself 1, to the power 8."""
    got, features = transition()
    rows, columns = sources(SIZE)
    matrix = torch.eye(SIZE[0] * SIZE[1], dtype=torch.float64)
    for y in range(rows.start, rows.stop):
        for x in range(columns.start, columns.stop):
            for dy, dx in offsets():
                a = (-(features[:, y, x] - features[:, y + dy, x + dx]).abs().mean()).exp() ** 8
                i, j = y * SIZE[1] + x, (y + dy) * SIZE[1] + x + dx
                matrix[i, j] = matrix[j, i] = a
    torch.testing.assert_close(got, matrix / matrix.sum(0))


def test_small_map_by_hand():
    """2 x 3, radius 2: the middle of the upper row and its four neighbours.  They differ by
    ln 2 from it but for the last, which is alike: affinities 1/2 and 1, squared 1/4 and 1."""
    half = math.log(2)
    features = torch.tensor([[[[half, 0.0, half], [half, half, 0.0]]]], dtype=torch.float64)
    got = transition_matrix(pixel_affinities(features)[0], (2, 3), exponent=2.0)
    # columns: upper left, middle, right; lower left, middle, right.  No pair on the upper left.
    ties = torch.tensor(
        [
            [1, 0, 0, 0, 0, 0],
            [0, 1, 0.25, 0.25, 0.25, 1],
            [0, 0.25, 1, 0, 0, 0],
            [0, 0.25, 0, 1, 0, 0],
            [0, 0.25, 0, 0, 1, 0],
            [0, 1, 0, 0, 0, 1],
        ],
        dtype=torch.float64,
    )
    torch.testing.assert_close(
        got, ties / torch.tensor([1, 2.75, 1.25, 1.25, 1.25, 2], dtype=torch.float64)
    )


def test_map_of_64_pixels():
    """8 x 8, float64, against the formula over all pairs of pixels: within a distance of 3, the
    upper or left one in the first 6 rows and the middle 4 columns.  Were it the identity, no
    score of an image of 64 x 64 would move."""
    torch.manual_seed(1)
    features = torch.randn(1, 4, 8, 8, dtype=torch.float64)
    got = transition_matrix(pixel_affinities(features)[0], (8, 8))
    flat = features[0].flatten(1)
    matrix = torch.eye(64, dtype=torch.float64)
    for i in range(64):
        for j in range(i + 1, 64):
            (y, x), (v, u) = divmod(i, 8), divmod(j, 8)
            if (y - v) ** 2 + (x - u) ** 2 < 9 and y < 6 and 2 <= x < 6:
                a = (-(flat[:, i] - flat[:, j]).abs().mean()).exp() ** 8
                matrix[i, j] = matrix[j, i] = a
    torch.testing.assert_close(got, matrix / matrix.sum(0))
    assert (got - torch.eye(64)).abs().max() > 0.01


def test_columns_sum_to_one():
    """Of one step and of 64: else scores would grow or fade from place to place."""
    step, _ = transition()
    ones = torch.ones(len(step), dtype=torch.float64)
    torch.testing.assert_close(step.sum(0), ones)
    torch.testing.assert_close(torch.linalg.matrix_power(step, 64).sum(0), ones)


def test_six_squarings_are_64_steps():
    """The power by squaring, against 64 steps one after the other."""
    step, _ = transition()
    scores = torch.rand(3, *SIZE, dtype=torch.float64)
    walked = scores.flatten(1)
    for _ in range(64):
        walked = walked @ step
    torch.testing.assert_close(random_walk(scores, step), walked.view_as(scores))
    torch.testing.assert_close(
        random_walk(scores, step, 0), (scores.flatten(1) @ step).view(3, *SIZE)
    )


def test_limits():
    """Nobody alike: nothing moves.  Constant scores stay constant, because columns sum to 1."""
    scores = torch.rand(2, *SIZE, dtype=torch.float64)
    apart = transition_matrix(torch.zeros(34, 28, dtype=torch.float64), SIZE)
    assert torch.equal(apart, torch.eye(132, dtype=torch.float64))
    torch.testing.assert_close(random_walk(scores, apart), scores)
    step, _ = transition()
    flat = torch.full_like(scores, 0.3)
    torch.testing.assert_close(random_walk(flat, step), flat)
