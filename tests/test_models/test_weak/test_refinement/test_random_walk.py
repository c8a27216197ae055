import torch

from incseg.models.weak.refinement.affinity_pairs import offsets, pixel_affinities, sources
from incseg.models.weak.refinement.random_walk import random_walk, transition_matrix

SIZE = (7, 11)


def transition(exponent=8.):
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
    torch.testing.assert_close(random_walk(scores, step, 0), (scores.flatten(1) @ step).view(
        3, *SIZE))


def test_limits():
    """Nobody alike: nothing moves.  Constant scores stay constant, because columns sum to 1."""
    scores = torch.rand(2, *SIZE, dtype=torch.float64)
    apart = transition_matrix(torch.zeros(34, 9, dtype=torch.float64), SIZE)
    assert torch.equal(apart, torch.eye(77, dtype=torch.float64))
    torch.testing.assert_close(random_walk(scores, apart), scores)
    step, _ = transition()
    flat = torch.full_like(scores, .3)
    torch.testing.assert_close(random_walk(flat, step), flat)
