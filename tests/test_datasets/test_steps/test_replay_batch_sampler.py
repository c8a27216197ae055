"""Batches with a fixed number of exemplars."""

from collections import Counter

import pytest

from incseg.datasets.steps.batch_samplers import ReplayBatchSampler, StepBatchSampler


class Joined:
    """A data set of 10 images, of which the first 6 are the step's."""

    num_step_images = 6

    def __len__(self):
        return 10


class Sampler:
    def __init__(self, dataset):
        self.dataset = dataset


def batches(dataset=None, batch=4, world=1, rank=0, memory_batch=2, **kwargs):
    kwargs.setdefault('num_iters', 9)
    return list(
        ReplayBatchSampler(
            Sampler(dataset or Joined()),
            batch // world,
            batch,
            rank=rank,
            world_size=world,
            memory_batch=memory_batch,
            **kwargs,
        )
    )


def test_every_batch_has_its_share():
    """Two of the six own images and two of the four exemplars, in every batch."""
    for batch in batches():
        assert Counter(index >= 6 for index, _ in batch) == {False: 2, True: 2}


def test_an_epoch_is_a_pass_over_the_steps_images():
    """Three batches of two own images are the six; the exemplars have had a pass and a half."""
    sampler = ReplayBatchSampler(Sampler(Joined()), 4, epochs=2, memory_batch=2)
    assert sampler.epoch_iters == 3 and len(sampler) == 6
    shown = [index for batch in list(sampler)[:3] for index, _ in batch]
    assert sorted(index for index in shown if index < 6) == [0, 1, 2, 3, 4, 5]
    counts = Counter(index for index in shown if index >= 6)
    assert sorted(counts.values()) == [1, 1, 2, 2]


def test_exemplars_are_augmented_anew():
    """Shown twice within an epoch, an exemplar has two seeds; else it is the same sample twice."""
    seeds = [(index, seed) for batch in batches() for index, seed in batch]
    assert len(set(seeds)) == len(seeds)


def test_more_places_than_exemplars():
    """A memory smaller than its share of a batch fills it by being shown several times."""

    class Small(Joined):
        num_step_images = 9

    first = batches(Small(), batch=8, memory_batch=5, num_iters=1)[0]
    assert [index for index, _ in first].count(9) == 5
    assert len({seed for index, seed in first if index == 9}) == 5


def test_resumed_equals_uninterrupted():
    """An interrupted step goes on with exactly the batches and seeds it would have had."""
    whole = batches()
    for start in range(10):
        assert batches(start_iter=start) == whole[start:]


def test_processes_share_the_same_batches():
    """Two processes together see the batches that one would."""
    shares = [batches(world=2, rank=rank) for rank in range(2)]
    assert [first + second for first, second in zip(*shares)] == batches()


@pytest.mark.parametrize(
    'dataset', [range(10), type('Empty', (Joined,), dict(num_step_images=10))()]
)
def test_without_exemplars(dataset):
    """A pass over another data set, or an empty memory: the batches of a plain sampler."""
    plain = StepBatchSampler(Sampler(dataset), 4, num_iters=9, rank=0, world_size=1)
    assert batches(dataset) == list(plain)
