"""Replay memory: which images it keeps and how they are labelled later."""

import numpy as np
import pytest

from incseg.protocols import Protocol
from incseg.protocols.exemplars import (
    STRATEGIES,
    class_balanced_exemplars,
    exemplar_lut,
    random_exemplars,
)


def show(*rows):
    return np.array(rows, np.bool_)


def test_random_worked_example():
    """The lowest ranks are kept, whatever the images show."""
    chosen = random_exemplars(
        np.array([7, 0, 3, 5]), np.zeros((4, 2), np.bool_), 2, np.random.default_rng(0)
    )
    assert chosen.tolist() == [1, 2] and chosen.dtype == np.int64


def test_random_is_uniform_over_all_steps():
    """20 images of step 0, 5 of step 1, a memory of 5: each is kept with probability 1/5.

    If images were drawn anew from the memory and the new step, those of step 0 would be kept with
    1/4 * 1/2 and those of step 1 with 1/2.
    """
    kept = np.zeros(25)
    for seed in range(4000):
        ranks = np.random.default_rng(seed).permutation(25)
        generator = np.random.default_rng((seed, 1))
        first = random_exemplars(ranks[:20], np.zeros((20, 1), np.bool_), 5, generator)
        left = np.concatenate([first, np.arange(20, 25)])
        second = random_exemplars(ranks[left], np.zeros((len(left), 1), np.bool_), 5, generator)
        kept[left[second]] += 1
    deviation = (0.2 * 0.8 / 4000) ** 0.5
    assert abs(kept / 4000 - 0.2).max() < 4 * deviation


def test_class_balanced_worked_example():
    """Ranks in order; class 0 is in images 0 1 2 3, class 1 in 3 and 4.

    Class 0 takes 0 and class 1 takes 3, or the other way round, the same; then 1 and 4.
    """
    presence = show([1, 0], [1, 0], [1, 0], [1, 1], [0, 1])
    for seed in range(5):
        generator = np.random.default_rng(seed)
        assert class_balanced_exemplars(np.arange(5), presence, 2, generator).tolist() == [0, 3]
        generator = np.random.default_rng(seed)
        assert class_balanced_exemplars(np.arange(5), presence, 4, generator).tolist() == [
            0,
            1,
            3,
            4,
        ]


def test_rare_classes_have_their_share():
    """One class in 900 of 1000 images, four in 25 each: 20 exemplars are 4 of each.

    A uniform sample would hold 18 of the first.
    """
    presence = np.zeros((1000, 5), np.bool_)
    presence[:900, 0] = True
    for rare in range(4):
        presence[900 + 25 * rare : 925 + 25 * rare, 1 + rare] = True
    ranks = np.random.default_rng(3).permutation(1000)
    chosen = class_balanced_exemplars(ranks, presence, 20, np.random.default_rng(0))
    assert presence[chosen].sum(0).tolist() == [4, 4, 4, 4, 4]


def test_a_class_that_runs_out_leaves_its_share():
    """One image of a class and three of another: all four, and no endless search for more."""
    presence = show([1, 0], [0, 1], [0, 1], [0, 1], [0, 0])
    generator = np.random.default_rng(0)
    assert class_balanced_exemplars(np.arange(5), presence, 9, generator).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize('strategy', STRATEGIES.values())
def test_sizes(strategy):
    """None, some, more than there are: never an image twice, sorted, and the same again."""
    generator = np.random.default_rng(5)
    ranks = generator.permutation(30)
    presence = generator.random((30, 4)) < 0.3
    presence[:, 0] |= ~presence.any(1)
    for size in (0, 1, 7, 30, 99):
        chosen = strategy(ranks, presence, size, np.random.default_rng(1))
        assert len(set(chosen.tolist())) == len(chosen) == min(size, 30)
        assert chosen.tolist() == sorted(chosen)
        again = strategy(ranks, presence, size, np.random.default_rng(1))
        assert again.tolist() == chosen.tolist()


#: learning order 2, 1 | 4 | 3: train ids 2 -> 1, 1 -> 2, 4 -> 3, 3 -> 4
PROTOCOL = Protocol(4, 2, 1, class_order=(2, 1, 4, 3))


@pytest.mark.parametrize(
    ('labels', 'steps', 'expected'),
    [
        ('seen', [0], [0, 2, 1, 0, 3]),
        ('seen', [1], [0, 2, 1, 0, 3]),
        ('own_step', [0], [255, 2, 1, 255, 255]),
        ('own_step', [1], [255, 255, 255, 255, 3]),
        ('own_step', [0, 1], [255, 2, 1, 255, 3]),
    ],
)
def test_at_step_1(labels, steps, expected):
    """Dataset ids 0 to 4.  Class 3 is of the future: background, or unknown; never its train id."""
    lut = exemplar_lut(PROTOCOL, 1, steps, labels)
    assert lut[:5].tolist() == expected and lut.dtype.name == 'uint8'
    assert set(lut[5:]) == {255}


def test_void():
    """As background where the experiment wants that; what is unknown stays unknown."""
    assert exemplar_lut(PROTOCOL, 1, [0], 'seen', void_as_background=True)[255] == 0
    assert exemplar_lut(PROTOCOL, 1, [0], 'own_step', void_as_background=True)[255] == 255


def test_sequential():
    """There old classes are annotated at step 1 too, so an image of step 1 tells them."""
    protocol = Protocol(4, 2, 1, 'sequential', (2, 1, 4, 3))
    assert exemplar_lut(protocol, 2, [1], 'own_step')[:5].tolist() == [255, 2, 1, 255, 3]
    assert exemplar_lut(protocol, 2, [1], 'seen')[:5].tolist() == [0, 2, 1, 4, 3]
