"""Scores that walk along affinities."""

import math

import pytest
import torch

from incseg.errors import InvalidInputError, MissingFileError
from incseg.models import AffinityRandomWalk
from incseg.models.weak.refinement.affinity_pairs import offsets, pixel_affinities, sources
from incseg.models.weak.refinement.affinity_random_walk import random_walk, transition_matrix

IMAGE = torch.randint(
    0, 256, (3, 61, 76), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)


def test_nobody_alike_is_pooling(affinity_net):
    """With a huge exponent nothing walks: what is left is the mean over 8x8 and back, within the
    score's range and at the image's own size."""
    scores = torch.rand(3, 61, 76)
    refined = AffinityRandomWalk(affinity_net, exponent=1e6).refine(IMAGE, scores)
    assert refined.shape == scores.shape
    torch.testing.assert_close(  # a block's centre lies between four pixels
        refined[:, 27:29, 35:37].mean((1, 2)),
        scores[:, 24:32, 32:40].mean((1, 2)),
        atol=0.02,
        rtol=0,
    )


@pytest.mark.parametrize(
    'size, block', [((64, 64), (2, 3)), ((32, 32), (1, 1)), ((16, 24), (0, 1))]
)
def test_small_pictures_walk(affinity_net, size, block):
    """64 x 64 as Shapes has it, and down to the least: where all are held alike (an exponent near
    0) the score of one block spreads to the lowest row, where nobody is (a huge one) it stays."""
    image = torch.randint(0, 256, (3, *size), dtype=torch.uint8)
    row, column = 8 * block[0], 8 * block[1]
    scores = torch.zeros(2, *size)
    scores[1, row : row + 8, column : column + 8] = 1.0
    still = AffinityRandomWalk(affinity_net, exponent=1e6).refine(image, scores)[1]
    walked = AffinityRandomWalk(affinity_net, exponent=0.01).refine(image, scores)[1]
    inside = (slice(row, row + 8), slice(column, column + 8))
    assert walked[inside].max() < 0.6 * still[inside].max()
    assert walked[-1, column + 4] > 0.01 > still[-1, column + 4]


def test_constant_scores_stay(affinity_net):
    """Columns sum to 1, and the padding of the right and bottom stays out of the middle."""
    refined = AffinityRandomWalk(affinity_net).refine(
        IMAGE[:, :56, :72], torch.full((2, 56, 72), 0.3)
    )
    torch.testing.assert_close(refined, torch.full((2, 56, 72), 0.3))


def test_net_is_frozen(affinity_net):
    """Its dropout and norms are those of evaluation."""
    walk = AffinityRandomWalk(affinity_net)
    assert not walk.net.training and not any(p.requires_grad for p in walk.net.parameters())


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(exponent=0), 'AffinityRandomWalk.exponent is 0, expected a number above 0'),
        (dict(exponent='a'), "AffinityRandomWalk.exponent is 'a', expected a number"),
        (dict(doublings=-1), 'AffinityRandomWalk.doublings is -1, expected a whole number of at'),
        (dict(doublings=1.5), 'AffinityRandomWalk.doublings is 1.5, expected a whole'),
        (dict(checkpoint=3), "AffinityRandomWalk.checkpoint is 3, expected a file's path, or None"),
        (dict(net=3), 'AffinityRandomWalk.net is 3, expected an AffinityNet, or dict'),
        (dict(net=dict(type='PAMR')), 'AffinityRandomWalk.net is .PAMR., expected an AffinityNet'),
    ],
)
def test_bad_arguments(arguments, message, affinity_net):
    """Said when it is built; later, hours of training would be lost."""
    with pytest.raises(InvalidInputError, match=message):
        AffinityRandomWalk(**{'net': affinity_net, **arguments})


def test_checkpoint(affinity_net, tmp_path):
    """The trained weights are the ones that walk; a file that does not fit is named."""
    path = tmp_path / 'affinity.pth'
    trained = {
        name: torch.full_like(value, 0.25) for name, value in affinity_net.state_dict().items()
    }
    torch.save(dict(state_dict=trained), path)
    walk = AffinityRandomWalk(affinity_net, str(path))
    assert (walk.net.joint.weight == 0.25).all()
    with pytest.raises(MissingFileError, match=r'no checkpoint of an AffinityNet at none\.pth'):
        AffinityRandomWalk(affinity_net, 'none.pth')
    for content in (dict(state_dict=dict(a=torch.ones(1))), dict(), [1]):
        torch.save(content, path)
        with pytest.raises(
            InvalidInputError, match=r'affinity\.pth (is damaged or does not fit|holds a list)'
        ):
            AffinityRandomWalk(affinity_net, str(path))
    path.write_bytes(b'PK')
    with pytest.raises(InvalidInputError, match=r'affinity\.pth is damaged'):
        AffinityRandomWalk(affinity_net, str(path))


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
