"""Layers over the batch of several processes: what one process computes on the whole batch."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from incseg.models.across_processes import (
    SharedBatchNorm,
    SharedDropout,
    share_batch_norm,
    share_dropout,
)
from incseg.models.backbones import BatchNorm

WORKER = """
import sys
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from incseg.models.across_processes import share_batch_norm, share_dropout

rank, world = int(sys.argv[1]), int(sys.argv[2])
dist.init_process_group('gloo', init_method='file://' + sys.argv[3], rank=rank, world_size=world)

def network():
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout2d(0.5), nn.Conv2d(4, 5, 1)]
    return nn.Sequential(*layers, nn.Dropout(0.3)).double()

torch.manual_seed(1)
x, factor = torch.randn(8, 3, 6, 5).double(), torch.randn(8, 5, 4, 3).double()
rows = slice(rank * 8 // world, (rank + 1) * 8 // world)

def trained(net, rows):
    for i in range(3):
        torch.manual_seed(10 + i)
        net.zero_grad()
        (net(x[rows]) * factor[rows]).pow(2).mean().backward()
        with torch.no_grad():
            for p in net.parameters():
                p -= 0.1 * p.grad
    return net

whole = trained(network(), slice(None)).state_dict()
shared = share_batch_norm(share_dropout(network()))
shared = DistributedDataParallel(shared, broadcast_buffers=False)
parts = trained(shared, rows).module.state_dict()
assert whole.keys() == parts.keys()
for name, value in whole.items():
    torch.testing.assert_close(parts[name], value, rtol=1e-9, atol=1e-12, msg=name)
plain = DistributedDataParallel(network(), broadcast_buffers=False)
assert not torch.allclose(trained(plain, rows).module.state_dict()['0.weight'], whole['0.weight'])
"""


@pytest.mark.parametrize('world', [2, 4])
def test_the_whole_batch(world, tmp_path):
    """If it fails, outputs, gradients or running statistics depend on the number of processes."""
    processes = [
        subprocess.Popen(
            [sys.executable, '-c', WORKER, str(rank), str(world), str(tmp_path / 'meet')],
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(world)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors


@pytest.mark.parametrize('kind', [nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d])
def test_one_process_drops_as_torch_does(kind):
    """If it fails, the same seed drops other values than in a run of one process."""
    x = torch.rand(3, 4, 5) if kind is nn.Dropout1d else torch.rand(3, 4, 5, 6)
    x = x[..., None] if kind is nn.Dropout3d else x
    net = share_dropout(nn.Sequential(kind(0.4)))
    assert isinstance(net[0], SharedDropout)
    torch.manual_seed(5)
    found = net(x)
    torch.manual_seed(5)
    torch.testing.assert_close(found, kind(0.4)(x))
    assert torch.equal(net.eval()(x), x)


@pytest.mark.parametrize('momentum', [0.0, None, 0.3])
def test_momentum_means_what_it_means_in_torch(momentum):
    """If it fails, a momentum of 0 averages all batches in place of keeping the statistics."""
    shared = share_batch_norm(nn.Sequential(nn.BatchNorm2d(3, momentum=momentum)))
    plain = nn.Sequential(nn.BatchNorm2d(3, momentum=momentum))
    for _ in range(3):
        x = torch.randn(2, 3, 4, 4)
        plain(x)
        shared[0]._update(x.mean((0, 2, 3)), x.transpose(0, 1).flatten(1).var(1))
    torch.testing.assert_close(dict(shared.state_dict()), dict(plain.state_dict()))


def test_state_is_kept():
    """If it fails, converting loses weights, frozen parameters, statistics or the mode."""
    net = nn.Sequential(BatchNorm(3), nn.Sequential(nn.BatchNorm2d(3, momentum=0.3))).eval()
    net[0].weight.requires_grad_(False).fill_(2)
    net[0].running_mean.fill_(1)
    x = torch.randn(2, 3, 4, 4)
    before, state = net(x), net.state_dict()
    share_batch_norm(net)
    assert all(isinstance(each, SharedBatchNorm) for each in (net[0], net[1][0]))
    assert not net[0].training and not net[0].weight.requires_grad and net[1][0].momentum == 0.3
    assert torch.equal(net(x), before) and net.state_dict().keys() == state.keys()


def test_a_single_value(tmp_path):
    """If it fails, a batch of one after global pooling divides by zero."""
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{tmp_path}/alone', rank=0, world_size=1
    )
    try:
        norm = share_batch_norm(nn.Sequential(BatchNorm(3))).train()
        x = torch.randn(1, 3, 1, 1)
        torch.testing.assert_close(norm(x), x / (1 + 1e-5) ** 0.5)
        assert norm[0].num_batches_tracked == 0
        half = torch.randn(4, 3, 2, 2).bfloat16()
        assert norm(half).dtype == torch.bfloat16 and norm[0].num_batches_tracked == 1
    finally:
        torch.distributed.destroy_process_group()
