"""What the parts promise that serve a step's batches: samplers, the loop, the collate function."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.dataset import pseudo_collate
from torch import nn
from torch.utils.data import DataLoader

from incseg import registry
from incseg.errors import InvalidInputError
from incseg.models import SegDataPreProcessor
from tests.common.contract import Contract, Example
from tests.common.toys import samples

LOOPS = Contract(
    'loop',
    registry.LOOPS,
    'incseg.engine.runner',
    dict(StepTrainLoop=Example(max_iters=5)),
    __file__,
)
SAMPLERS = Contract(
    'batch sampler',
    registry.DATA_SAMPLERS,
    'incseg.datasets.steps',
    dict(
        ReplayBatchSampler=Example(None, dict(memory_batch=0), dict(memory_batch=2), seed=3),
        StepBatchSampler=Example(seed=3),
    ),
    __file__,
)
COLLATES = Contract(
    'function that collates samples',
    registry.FUNCTIONS,
    'incseg.datasets.steps',
    dict(collate_samples=Example()),
    __file__,
)


class Images:
    """A data set of a step with some exemplars at its end, and a sampler of it."""

    def __init__(self, length, exemplars=4):
        self.length, self.num_step_images = length + exemplars, length
        self.dataset = self

    def __len__(self):
        return self.length

    def __getitem__(self, item):
        return item


def sampler(name, options, length=11, batch=4, rank=0, world_size=1, **other):
    return SAMPLERS.build(
        name,
        **options,
        sampler=Images(length),
        batch_size=batch // world_size,
        total_batch_size=batch,
        rank=rank,
        world_size=world_size,
        **other,
    )


@SAMPLERS.each_way()
def test_batches_are_those_of_the_iteration(name, options):
    """If it fails, a resumed run, or one on more processes, is trained on other batches."""
    whole = list(sampler(name, options, epochs=3))
    assert len(whole) == len(sampler(name, options, epochs=3)) and len(whole) > 5
    assert all(len(batch) == 4 for batch in whole)
    assert list(sampler(name, options, epochs=3, start_iter=4)) == whole[4:]
    later = sampler(name, options, epochs=3)
    later.set_start(5)
    assert list(later) == whole[5:]
    parts = [list(sampler(name, options, rank=rank, world_size=2, epochs=3)) for rank in (0, 1)]
    assert [a + b for a, b in zip(*parts)] == whole
    assert list(sampler(name, {**options, 'seed': 4}, epochs=3)) != whole


@SAMPLERS.each_way()
def test_an_epoch_goes_over_the_images_once(name, options):
    """If it fails, some images are shown more often than others, or with the same augmentation."""
    made = sampler(name, options, epochs=3)
    seen = [[item for item in batch if item[0] < 11] for batch in made]
    per_epoch = made.epoch_iters
    orders = []
    for epoch in range(3):
        batches = seen[epoch * per_epoch : (epoch + 1) * per_epoch]
        order = [index for batch in batches for index, _ in batch]
        assert len(set(order)) == len(order) > 7
        orders.append(order)
    assert orders[0] != orders[1]
    seeds = [seed for batch in made for _, seed in batch]
    assert len(set(seeds)) == len(seeds) and all(0 <= seed < 2**32 for seed in seeds)
    indices = {index for batch in made for index, _ in batch}
    assert indices <= set(range(15))
    assert len(list(sampler(name, options, length=2, epochs=2))) == 2, 'one short batch an epoch'


@SAMPLERS.each_way()
def test_a_batch_that_does_not_divide(name, options):
    """If it fails, processes train on batches of different sizes without saying so."""
    with pytest.raises(InvalidInputError, match='batch_size'):
        sampler(name, options, batch=5, world_size=2, epochs=1)


@LOOPS.each()
def test_loop_resumes_where_it_stopped(name):
    """If it fails, hooks are called at other points than mmengine's, or batches are left out."""
    calls = []

    def record(point, **arguments):
        calls.append((point, arguments.get('batch_idx'), arguments.get('data_batch')))
        if stop == (point, arguments.get('batch_idx')):
            loop.stop_training = True

    class Model(nn.Module):
        def train_step(self, batch, optim_wrapper):
            assert self.training
            return dict(loss=torch.zeros(()))

    def start():
        runner = SimpleNamespace(model=Model().eval(), call_hook=record, optim_wrapper=None)
        batches = sampler('StepBatchSampler', {}, num_iters=5)
        loader = DataLoader(Images(11), batch_sampler=batches, collate_fn=list)
        return LOOPS.build(name, runner=runner, dataloader=loader)

    stop = ('after_train_iter', 2)
    loop = start()
    assert (loop.iter, loop.epoch, loop.max_iters, loop.max_epochs) == (0, 0, 5, 1)
    loop.run()
    assert [point for point, _, _ in calls[:2]] == ['before_train', 'before_train_epoch']
    assert [point for point, _, _ in calls[-2:]] == ['after_train_epoch', 'after_train']
    first, calls[:], stop = calls[2:-2], [], None
    assert loop.iter == 3
    loop = start()
    loop._iter = 3  # what mmengine's Runner.resume sets
    loop.run()
    iterations = first + calls[2:-2]
    points = ['before_train_iter', 'after_train_iter']
    assert [(point, i) for point, i, _ in iterations] == [(p, i) for i in range(5) for p in points]
    expected = list(sampler('StepBatchSampler', {}, num_iters=5))
    assert [batch for _, _, batch in iterations[::2]] == expected


@COLLATES.each()
@pytest.mark.parametrize('labels', [True, False])
@pytest.mark.parametrize('sizes', [[(4, 5)] * 3, [(4, 5), (3, 6)]], ids=['one size', 'several'])
def test_collated_samples_are_the_same_batch(name, sizes, labels):
    """If it fails, the model gets another batch than from mmengine's own collate function."""
    collate = registry.FUNCTIONS.get(name)
    preprocess = SegDataPreProcessor()
    ours = preprocess(collate(samples(*sizes, labels=labels)), True)
    theirs = preprocess(pseudo_collate(samples(*sizes, labels=labels)), True)
    assert torch.equal(ours['inputs'], theirs['inputs'])
    for one, other in zip(ours['data_samples'], theirs['data_samples'], strict=True):
        assert one.image_id == other.image_id and one.img_shape == other.img_shape
        assert ('gt_sem_seg' in one) == labels
        if labels:
            assert torch.equal(one.gt_sem_seg.data, other.gt_sem_seg.data)
