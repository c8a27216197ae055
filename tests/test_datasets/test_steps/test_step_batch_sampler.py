import pytest
from mmengine.runner import Runner

from incseg.datasets import ShapesDataset, StepBatchSampler
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


def test_resumed_equals_uninterrupted():
    """An interrupted step goes on with exactly the batches and seeds it would have had."""
    whole = batches(num_iters=7)
    for start in range(8):
        assert batches(num_iters=7, start_iter=start) == whole[start:]
    sampler = StepBatchSampler(OfLength(10), 4, num_iters=7)
    sampler.set_start(5)
    assert len(sampler) == 2 and list(sampler) == whole[5:] == list(sampler)


@pytest.mark.parametrize('world', [2, 4])
def test_processes_share_the_same_batches(world):
    """One process or several: the same global batches, in the same order."""
    whole = batches()
    shares = [batches(world=world, rank=rank) for rank in range(world)]
    for iteration, batch in enumerate(whole):
        assert [item for share in shares for item in share[iteration]] == batch
        assert {len(share[iteration]) for share in shares} == {4 // world}


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
            r'batch_size \(total\) is 7; allowed is a multiple of the 2 processes',
        ),
        (
            dict(batch_size=2, total_batch_size=8, world_size=2, num_iters=1),
            'allowed is their product',
        ),
        (dict(batch_size=0, num_iters=1), 'batch_size per process is 0'),
        (dict(batch_size=2), 'num_iters=None and epochs=None; allowed is exactly one'),
        (dict(batch_size=2, num_iters=1, epochs=1), 'allowed is exactly one'),
        (dict(batch_size=2, epochs=-1), 'a step of -5 iterations'),
        (dict(batch_size=2, num_iters=3, start_iter=4), r'at iteration 4; allowed are 0\.\.3'),
        (dict(batch_size=2, num_iters=3, seed=-1), 'seed of StepBatchSampler is -1'),
        (dict(sampler=OfLength(0), batch_size=2, num_iters=3), '0 images in batches of 2'),
        (
            dict(sampler=object(), batch_size=2, num_iters=3),
            'sampler object does not tell its data',
        ),
    ],
)
def test_bad_arguments(kwargs, message):
    """Each names the value and what is allowed."""
    with pytest.raises(InvalidInputError, match=message):
        StepBatchSampler(**{'sampler': OfLength(10), **kwargs})
