"""What the parts promise of which a step's Runner is built: loops, batches, optimisers, metrics."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.structures import PixelData
from torch import nn
from torch.utils.data import DataLoader

from incseg import registry
from incseg.errors import InvalidInputError
from incseg.models import SegDataPreProcessor
from incseg.structures import SegDataSample
from tests.common.contract import Contract, Example

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
METRICS = Contract(
    'metric', registry.METRICS, 'incseg.evaluation', dict(ConfusionMetric=Example()), __file__
)
WRAPPERS = Contract(
    'wrapper of an optimiser',
    registry.OPTIM_WRAPPERS,
    'incseg.engine.runner',
    dict(StepOptimWrapper=Example(None, {}, dict(amp=True))),
    __file__,
)
#: The promise: by the beginning of a parameter's name, the factor on its learning rate.
CONSTRUCTORS = Contract(
    'constructor of an optimiser',
    registry.OPTIM_WRAPPER_CONSTRUCTORS,
    'incseg.engine.runner',
    dict(
        FineTuneOptimConstructor=Example(
            {'head.weight': 5.0, 'head.bias': 10.0, 'body.0.weight': 1.0, 'body.0.bias': 2.0},
            paramwise_cfg=dict(head_factor=5.0),
        ),
        PartwiseOptimConstructor=Example(
            {'head': 3.0, 'body': 1.0},
            paramwise_cfg=dict(lr_factors=dict(head=3.0, body=None)),
        ),
    ),
    __file__,
)
SCHEDULES = Contract(
    'schedule of the learning rate',
    registry.PARAM_SCHEDULERS,
    'incseg.engine.runner',
    dict(HeldPolyLR=Example(num_iters=8, hold=3)),
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


def samples(*sizes, labels=True):
    made = []
    generator = torch.Generator().manual_seed(0)
    for i, size in enumerate(sizes):
        sample = SegDataSample()
        sample.set_metainfo(dict(image_id=str(i), img_shape=size, ori_shape=size))
        if labels:
            label = torch.randint(0, 5, (1, *size), generator=generator, dtype=torch.uint8)
            sample.gt_sem_seg = PixelData(data=label)
        image = torch.randint(0, 255, (3, *size), generator=generator, dtype=torch.uint8)
        made.append(dict(inputs=image, data_samples=sample))
    return made


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


def predictions():
    """Five images of different sizes: labels with void, and predictions."""
    generator = torch.Generator().manual_seed(0)
    made = []
    for size in ((4, 5), (3, 3), (6, 2), (1, 1), (5, 5)):
        label, prediction = torch.randint(0, 3, (2, 1, *size), generator=generator).byte()
        label[:, 0, 0] = 255
        made.append(dict(gt_sem_seg=dict(data=label), pred_sem_seg=dict(data=prediction)))
    return made


@METRICS.each()
def test_a_metric_counts_each_pixel_once(name):
    """If it fails, numbers depend on how the test images are batched, or on the last evaluation."""
    images = predictions()
    target = torch.cat([image['gt_sem_seg']['data'].flatten() for image in images])
    found = torch.cat([image['pred_sem_seg']['data'].flatten() for image in images])
    target, found = target[target != 255], found[target != 255]
    expected = {
        'abc'[i]: 100
        * ((target == i) & (found == i)).sum().item()
        / ((target == i) | (found == i)).sum().item()
        for i in range(3)
    }
    metric = METRICS.build(name)
    metric.dataset_meta = dict(classes=['a', 'b', 'c', 'd'])
    for parts in ([images], [[image] for image in images], [images[:2], images[2:]]):
        for part in parts:
            metric.process(None, part)
        result = metric.evaluate(len(images))
        iou = result['seg/iou']
        assert list(iou) == ['a', 'b', 'c', 'd'] and iou['d'] is None
        for key, value in expected.items():
            assert iou[key] == pytest.approx(value)
        assert result['seg/accuracy'] == pytest.approx(
            100 * (target == found).double().mean().item()
        )
    assert set(metric.evaluate(0)['seg/iou'].values()) == {None}, 'a process without images'


class Network(nn.Module):
    """A body, of which one layer is frozen, and a head."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 4))
        self.head = nn.Linear(4, 2)
        self.body[1].requires_grad_(False)


@WRAPPERS.each_way()
def test_an_update_is_the_optimisers(name, options):
    """If it fails, parameters move otherwise than the optimiser moves them, or what methods do
    between backward pass and update is not called there."""
    plain, wrapped = Network(), Network()
    theirs, ours = (
        torch.optim.SGD(network.head.parameters(), lr=0.1, momentum=0.9)
        for network in (plain, wrapped)
    )
    wrapper = WRAPPERS.build(name, optimizer=ours, **options)
    moved = []
    for callbacks in (wrapper.after_backward, wrapper.after_step):
        callbacks.append(lambda: moved.append((wrapped.head.bias - plain.head.bias).any().item()))
    images = torch.ones(1, 4)
    for _ in range(2):
        wrapper.update_params(wrapped.head(images).square().sum())
        assert all(p.grad is None for p in wrapped.head.parameters())
        theirs.zero_grad()
        plain.head(images).square().sum().backward()
        theirs.step()
    assert moved == [False, True] * 2, 'before the update, and after it'
    assert torch.equal(wrapped.head.weight, plain.head.weight)
    with wrapper.optim_context(wrapped):
        assert (wrapped.head(images).dtype is torch.bfloat16) == options.get('amp', False)


@CONSTRUCTORS.each()
def test_every_trained_parameter_is_in_one_group(name):
    """If it fails, a part of the network is not trained, or a frozen one decays."""
    network = Network()
    wrapper = CONSTRUCTORS.build(
        name,
        optim_wrapper_cfg=dict(
            type='StepOptimWrapper', optimizer=dict(type='SGD', lr=0.1, weight_decay=0.01)
        ),
    )(network)
    rates = {p: group['lr'] for group in wrapper.optimizer.param_groups for p in group['params']}
    count = sum(len(group['params']) for group in wrapper.optimizer.param_groups)
    parameters = dict(network.named_parameters())
    trained = {key: p for key, p in parameters.items() if p.requires_grad}
    assert count == len(rates) == len(trained)
    for key, parameter in trained.items():
        factor = next(f for part, f in CONSTRUCTORS[name].promise.items() if key.startswith(part))
        assert rates[parameter] == pytest.approx(0.1 * factor), key
    assert all(group['params'] for group in wrapper.optimizer.param_groups)


@SCHEDULES.each()
def test_a_rate_is_that_of_the_iteration(name):
    """If it fails, a resumed run goes on with another learning rate, or a rate leaves its range."""

    def start():
        optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1)
        return optimizer, SCHEDULES.build(name, optimizer=optimizer, by_epoch=False)

    optimizer, schedule = start()
    rates = []
    for _ in range(8):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        schedule.step()
        if len(rates) == 4:
            state = schedule.state_dict(), optimizer.state_dict()
    assert rates[0] == pytest.approx(0.1) and optimizer.param_groups[0]['lr'] == pytest.approx(0)
    assert all(a >= b > 0 for a, b in zip(rates, rates[1:]))
    optimizer, schedule = start()
    schedule.load_state_dict(state[0])
    optimizer.load_state_dict(state[1])
    again = []
    for _ in range(4):
        again.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        schedule.step()
    assert again == rates[4:]
    assert not np.allclose(rates, rates[0])
