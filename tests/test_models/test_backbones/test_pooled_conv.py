"""Pooling, 1x1 convolution, norm, activation, also for a batch of one."""

import pytest
import torch
from torch import nn

from incseg.models.backbones.bisenet import PooledConv

BN, RELU = dict(type='BN'), dict(type='ReLU')


def test_worked_example():
    """If it fails, the channels are not weighed by the mean of the whole map."""
    layer = PooledConv(2, 1, None, None)
    nn.init.constant_(layer.conv.conv.weight, 2.0)
    nn.init.constant_(layer.conv.conv.bias, 1.0)
    x = torch.tensor([[[[1.0, 3.0]], [[5.0, 7.0]]]])
    assert layer(x).flatten().tolist() == [2 * 2 + 2 * 6 + 1]


@pytest.mark.parametrize('act', [RELU, dict(type='Sigmoid'), None])
def test_batch_of_one_uses_the_running_statistics(act):
    """If it fails, the last short batch of a small step stops the training."""
    layer = PooledConv(4, 8, BN, act)
    norm = layer.conv.norm
    nn.init.normal_(norm.running_mean)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    x = torch.randn(1, 4, 3, 3)
    mean, count = norm.running_mean.clone(), norm.num_batches_tracked.clone()
    in_training = layer(x)
    assert torch.equal(norm.running_mean, mean)
    assert norm.num_batches_tracked == count
    torch.testing.assert_close(in_training, layer.eval()(x))
    layer.train()(x).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in layer.parameters())


def test_larger_batches_use_their_own_statistics():
    """If it fails, the norm's running statistics are never learned."""
    layer = PooledConv(4, 8, BN, None)
    out = layer(torch.randn(16, 4, 3, 3))
    assert out.mean((0, 2, 3)).abs().max() < 1e-6
    assert layer.conv.norm.num_batches_tracked == 1


@pytest.mark.parametrize(('norm', 'batch'), [(None, 1), (dict(type='GN', num_groups=2), 1)])
def test_other_norms(norm, batch):
    """If it fails, only BatchNorm can train with a batch of one."""
    layer = PooledConv(4, 8, norm, RELU)
    assert layer(torch.randn(batch, 4, 3, 3)).shape == (batch, 8, 1, 1)
