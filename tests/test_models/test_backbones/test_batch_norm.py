import pytest
import torch
from torch import nn

from incseg.models.backbones import BatchNorm


def test_equals_torch_where_torch_works():
    """Values, gradients and running statistics are torch's own."""
    ours, theirs = BatchNorm(3), nn.BatchNorm2d(3)
    for _ in range(2):
        x = torch.randn(2, 3, 4, 4)
        assert torch.equal(ours(x), theirs(x))
    assert torch.equal(ours.running_var, theirs.running_var)
    ours.eval(), theirs.eval()
    assert torch.equal(ours(x), theirs(x))


def test_a_single_value_trains():
    """A batch of one after pooling: torch refuses; here the running statistics serve."""
    norm, x = BatchNorm(3), torch.randn(1, 3, 1, 1, requires_grad=True)
    norm.running_mean.fill_(2.0)
    norm.running_var.fill_(4.0)
    with pytest.raises(ValueError, match='more than 1 value per channel'):
        nn.BatchNorm2d(3)(x)
    out = norm(x)
    assert torch.allclose(out, (x - 2) / (4 + norm.eps) ** 0.5)
    out.sum().backward()
    assert x.grad.isfinite().all() and norm.weight.grad is not None
    assert torch.equal(norm.running_mean, torch.full((3,), 2.0)), 'one value teaches nothing'


def test_becomes_sync_bn():
    """Several GPUs: the conversion must find it."""
    net = nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(BatchNorm(3)))
    assert isinstance(net[0], nn.SyncBatchNorm)
