"""A learning rate that is held, then follows poly from where that would be."""

import pytest
import torch
from mmengine.optim import PolyLR

from incseg.registry import PARAM_SCHEDULERS

#: WILSON's published scheduler: lr 1, 16 iterations, held for 4
PUBLISHED = [
    1.0,
    1.0,
    1.0,
    1.0,
    0.7718895067235705,
    0.7137488676469779,
    0.6550764934180986,
    0.5958134105899568,
    0.5358867312681466,
    0.4752041794345411,
    0.4136453446582762,
    0.35104680078842443,
    0.2871745887492587,
    0.22166705165320952,
    0.15389305166811454,
    0.08246924442330589,
]


def rates(make, iters=16):
    groups = [dict(params=[torch.nn.Parameter(torch.zeros(1))], lr=lr) for lr in (1.0, 10.0)]
    optimizer = torch.optim.SGD(groups)
    scheduler, found = make(optimizer), []
    for _ in range(iters):
        found.append([group['lr'] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    return found, scheduler


def held(optimizer, **options):
    config = dict(type='HeldPolyLR', num_iters=16, by_epoch=False, **options)
    return PARAM_SCHEDULERS.build(config, default_args=dict(optimizer=optimizer))


def test_published_values():
    """If it fails, the rate decays from the wrong iteration, or without the jump."""
    found, _ = rates(lambda optimizer: held(optimizer, hold=4))
    assert [first for first, _ in found] == pytest.approx(PUBLISHED, rel=1e-12)
    assert [second for _, second in found] == pytest.approx([10 * r for r in PUBLISHED])


def test_without_holding():
    """If it fails, it is another decay than the one that all other steps have."""
    ours, _ = rates(lambda optimizer: held(optimizer))
    poly, _ = rates(
        lambda optimizer: PolyLR(optimizer, power=0.9, eta_min=0.0, begin=0, end=17, by_epoch=False)
    )
    for a, b in zip(ours, poly):
        assert a == pytest.approx(b)


def test_resumed():
    """If it fails, an interrupted step goes on with another learning rate."""
    whole, _ = rates(lambda optimizer: held(optimizer, hold=4))
    _, interrupted = rates(lambda optimizer: held(optimizer, hold=4), 7)
    optimizer = torch.optim.SGD(
        [dict(params=[torch.nn.Parameter(torch.zeros(1))], lr=lr) for lr in (1.0, 10.0)]
    )
    scheduler = held(optimizer, hold=4)
    scheduler.load_state_dict(interrupted.state_dict())
    optimizer.step()
    scheduler.step()
    assert [group['lr'] for group in optimizer.param_groups] == whole[8]
