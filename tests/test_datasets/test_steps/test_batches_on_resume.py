"""Batches and samples are functions of seed and iteration: interrupted, shared or not."""

import random
from collections import Counter

import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from incseg.datasets import ReplayBatchSampler, ShapesDataset, StepBatchSampler
from incseg.datasets.steps.sample_seed import sample_seed
from incseg.errors import InvalidInputError


class OfLength:
    """A sampler as mmengine hands one over: only its data set's length matters."""

    def __init__(self, length):
        self.dataset = range(length)


def batches(length=10, batch=4, world=1, rank=0, **kwargs):
    kwargs.setdefault('num_iters', 6)
    return list(
        StepBatchSampler(
            OfLength(length), batch // world, batch, rank=rank, world_size=world, **kwargs
        )
    )


def test_an_epoch_is_a_permutation_without_its_short_end():
    """No image twice in an epoch, 10 // 4 batches of 4, another order in the next epoch."""
    epochs = [[i for batch in batches()[k : k + 2] for i, _ in batch] for k in (0, 2, 4)]
    for epoch in epochs:
        assert len(set(epoch)) == 8 and set(epoch) <= set(range(10))
    assert epochs[0] != epochs[1] != epochs[2]


def test_a_small_step_keeps_its_short_batch():
    """15-1 steps may have fewer images than a batch; dropping it would leave nothing to train."""
    assert StepBatchSampler.iters_per_epoch(3, 4) == 1
    whole = batches(length=3, num_iters=2)
    assert [sorted(i for i, _ in batch) for batch in whole] == [[0, 1, 2], [0, 1, 2]]
    shares = [batches(length=3, world=2, rank=rank, num_iters=2) for rank in range(2)]
    assert [len(share[0]) for share in shares] == [2, 1]
    assert shares[0][0] + shares[1][0] == whole[0]


def test_fewer_images_than_processes():
    """A process without an image would wait for ever in DDP's all-reduce."""
    shares = [batches(length=2, world=4, rank=rank, num_iters=1)[0] for rank in range(4)]
    assert [len(share) for share in shares] == [1, 1, 1, 1]
    assert {share[0][0] for share in shares} == {0, 1}


def test_sample_seeds():
    """32 bits; an image gets another augmentation in every epoch, under another seed too."""
    flat = [item for batch in batches(length=4, num_iters=50) for item in batch]
    assert len({seed for _, seed in flat}) == 200
    assert all(0 <= seed < 2**32 and isinstance(seed, int) for _, seed in flat)
    other = [item for batch in batches(length=4, num_iters=50, seed=1) for item in batch]
    assert not {s for _, s in flat} & {s for _, s in other}
    assert [i for i, _ in flat] != [i for i, _ in other]


def test_epochs_or_iterations():
    """Two ways to say how long: 3 epochs of 10 // 4 iterations are 6."""
    assert batches(num_iters=None, epochs=3) == batches(num_iters=6)
    assert batches(num_iters=0) == []


def test_runner_builds_it():
    """mmengine hands over its own sampler and the batch size per process."""
    loader = Runner.build_dataloader(
        dict(
            dataset=dict(type='incseg.ShapesDataset', length=9),
            batch_size=4,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            batch_sampler=dict(type='incseg.StepBatchSampler', num_iters=5, seed=2),
        )
    )
    assert isinstance(loader.dataset, ShapesDataset) and len(loader) == 5
    assert list(loader.batch_sampler) == batches(length=9, num_iters=5, seed=2)


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (
            dict(batch_size=2, total_batch_size=7, world_size=2, num_iters=1),
            r'batch_size \(total\) is 7, expected a multiple of the 2 processes',
        ),
        (
            dict(batch_size=2, total_batch_size=8, world_size=2, num_iters=1),
            'total_batch_size is 8, expected 4: 2 processes',
        ),
        (dict(batch_size=0, num_iters=1), 'batch_size per process is 0'),
        (dict(batch_size=2), 'epochs. of StepBatchSampler is .None, None., expected one number'),
        (dict(batch_size=2, num_iters=1, epochs=1), 'is .1, 1., expected one number and one None'),
        (dict(batch_size=2, epochs=-1), 'num_iters is -5, expected'),
        (dict(batch_size=2, num_iters=3, start_iter=4), 'first iteration .* is 4, expected 0 to 3'),
        (dict(batch_size=2, num_iters=3, seed=-1), 'seed of StepBatchSampler is -1'),
        (dict(sampler=OfLength(0), batch_size=2, num_iters=3), 'is .0, 2., expected at least 1'),
        (
            dict(sampler=object(), batch_size=2, num_iters=3),
            "sampler is 'object', expected",
        ),
    ],
)
def test_bad_arguments(kwargs, message):
    """Each names the value and what is allowed."""
    with pytest.raises(InvalidInputError, match=message):
        StepBatchSampler(**{'sampler': OfLength(10), **kwargs})


class Joined:
    """A data set of 10 images, of which the first 6 are the step's."""

    num_step_images = 6

    def __len__(self):
        return 10


class Sampler:
    def __init__(self, dataset):
        self.dataset = dataset


def replay_batches(dataset=None, batch=4, world=1, rank=0, memory_batch=2, **kwargs):
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


@pytest.mark.parametrize('make', [batches, replay_batches])
def test_resumed_equals_uninterrupted(make):
    """An interrupted step goes on with exactly the batches and seeds it would have had."""
    whole = make(num_iters=9)
    for start in range(10):
        assert make(num_iters=9, start_iter=start) == whole[start:]


def test_the_start_can_be_set_later():
    """If it fails, a loader that exists when a run is resumed begins at the first batch."""
    whole = batches(num_iters=7)
    sampler = StepBatchSampler(OfLength(10), 4, num_iters=7)
    sampler.set_start(5)
    assert len(sampler) == 2 and list(sampler) == whole[5:] == list(sampler)


@pytest.mark.parametrize('make', [batches, replay_batches])
@pytest.mark.parametrize('world', [2, 4])
def test_processes_share_the_same_batches(make, world):
    """One process or several: the same global batches, in the same order."""
    whole = make()
    shares = [make(world=world, rank=rank) for rank in range(world)]
    for iteration, batch in enumerate(whole):
        assert [item for share in shares for item in share[iteration]] == batch
        assert {len(share[iteration]) for share in shares} == {4 // world}


def test_every_batch_has_its_share():
    """Two of the six own images and two of the four exemplars, in every batch."""
    for batch in replay_batches():
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
    seeds = [(index, seed) for batch in replay_batches() for index, seed in batch]
    assert len(set(seeds)) == len(seeds)


def test_more_places_than_exemplars():
    """A memory smaller than its share of a batch fills it by being shown several times."""

    class Small(Joined):
        num_step_images = 9

    first = replay_batches(Small(), batch=8, memory_batch=5, num_iters=1)[0]
    assert [index for index, _ in first].count(9) == 5
    assert len({seed for index, seed in first if index == 9}) == 5


@pytest.mark.parametrize(
    'dataset', [range(10), type('Empty', (Joined,), dict(num_step_images=10))()]
)
def test_without_exemplars(dataset):
    """A pass over another data set, or an empty memory: the batches of a plain sampler."""
    plain = StepBatchSampler(Sampler(dataset), 4, num_iters=9, rank=0, world_size=1)
    assert replay_batches(dataset) == list(plain)


def draw():
    return np.random.rand(), random.random(), torch.rand(1).item()


def test_same_seed_same_draws_and_state_comes_back():
    """Otherwise a sample depends on what was loaded before it, and resuming changes it."""
    np.random.seed(1)
    random.seed(1)
    torch.manual_seed(1)
    expected = draw(), draw()
    np.random.seed(1)
    random.seed(1)
    torch.manual_seed(1)
    first = draw()
    inside = []
    for _ in range(2):
        with sample_seed(2**32 - 1):
            inside.append(draw())
    assert inside[0] == inside[1]
    assert (first, draw()) == expected


def test_state_comes_back_after_an_error():
    """A sample that fails must not reseed the rest of the process."""
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    with pytest.raises(ZeroDivisionError), sample_seed(5):
        raise ZeroDivisionError
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_none_changes_nothing_and_torch_is_left_alone():
    """Dropout in the main process must not be reseeded by every sample."""
    np.random.seed(1)
    with sample_seed(None):
        value = np.random.rand()
    np.random.seed(1)
    assert np.random.rand() == value
    before = torch.get_rng_state()
    with sample_seed(5):
        pass
    assert torch.equal(torch.get_rng_state(), before)
