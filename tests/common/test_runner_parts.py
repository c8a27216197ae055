"""What the parts promise of which a step's Runner is built: optimisers, schedules, metrics."""

import numpy as np
import pytest
import torch
from torch import nn

from incseg import registry
from tests.common.contract import Contract, Example

METRICS = Contract(
    'metric',
    registry.METRICS,
    'incseg.evaluation',
    dict(
        ConfusionMetric=Example(),
        HomeMetric=Example(annotates=[['b', 'c', 'd']], homes=dict(a=0, b=0, c=0, d=0)),
    ),
    __file__,
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
