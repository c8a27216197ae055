"""The stand-in for a GPU sees every kind of wait, and nothing else."""

import pytest
import torch

from tests.common.waits import DEVICE, StandIn

WAITS = {
    'item': lambda x: x.sum().item(),
    'float': lambda x: float(x[0]),
    'bool': lambda x: bool(x.any()),
    'if': lambda x: 1 if x[0] > 0 else 2,
    'cpu': lambda x: x.cpu(),
    'tolist': lambda x: x.tolist(),
    'nonzero': lambda x: x.nonzero(),
    'where': lambda x: torch.where(x > 0),
    'mask': lambda x: x[x > 0],
    'masked_select': lambda x: x.masked_select(x > 0),
    'values at a mask': lambda x: x.__setitem__(x > 0, x[1:].clone()),
    'a value of the device at a mask': lambda x: x.__setitem__(x > 0, x[0].clone()),
    'a number copied': lambda x: x[0].copy_(torch.tensor(1.0)),
    'unique': lambda x: x.unique(),
    'equal': lambda x: torch.equal(x, x + 1),
    'bincount': lambda x: x.long().bincount(),
    'index list': lambda x: x[[0, 2]],
    'a tensor of a list': lambda x: torch.tensor([1.0, 2.0], device=DEVICE),
    'a new tensor of a list': lambda x: x.new_tensor([1.0, 2.0]),
    'sent': lambda x: torch.ones(3).to(DEVICE),
    'copied': lambda x: x.copy_(torch.ones(3)),
    'fetched': lambda x: torch.ones(3).copy_(x),
}
FREE = {
    'sums': lambda x: (x * 2).sum(),
    'slices': lambda x: x[1:] + x[:1],
    'a mask filled': lambda x: x.masked_fill_(x > 0, 1.0),
    'one value at a mask': lambda x: x.__setitem__(x > 0, 1.0),
    'an index on the device': lambda x: x[torch.arange(2, device=DEVICE)],
    'sent without waiting': lambda x: torch.ones(3).to(DEVICE, non_blocking=True),
    'copied without waiting': lambda x: x.copy_(torch.ones(3), non_blocking=True),
    'on the cpu': lambda x: torch.ones(3)[torch.ones(3) > 0].tolist(),
    'new': lambda x: x.new_zeros(3) + torch.zeros(3, device=DEVICE),
    'a list of tensors': lambda x: torch._foreach_mul([x, x], 2.0),
}


def waits_of(call):
    with StandIn() as device:
        x = torch.tensor([0.0, 1.0, 2.0]).to(DEVICE)
        with device.counting() as waits:
            call(x)
    return waits


@pytest.mark.parametrize('name', WAITS)
def test_seen(name):
    """If it fails, an iteration may wait in this way and no test tells."""
    assert len(waits_of(WAITS[name])) == 1


@pytest.mark.parametrize('name', FREE)
def test_free(name):
    """If it fails, the tests refuse what a GPU does by itself."""
    assert waits_of(FREE[name]) == []


def test_gradients():
    """If it fails, backward passes are not looked at, or compute something else."""
    with StandIn() as device:
        x = torch.arange(3.0).to(DEVICE).requires_grad_()
        with device.counting() as waits:
            (x * x).sum().backward()
        assert waits == [] and x.grad.device == DEVICE
        assert x.grad.tolist() == [0, 2, 4]
    with pytest.raises(AssertionError, match='two devices'), StandIn() as device:
        x = torch.arange(3.0).to(DEVICE)
        with device.counting():
            x + torch.ones(3)
