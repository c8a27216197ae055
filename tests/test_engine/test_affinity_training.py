import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

from incseg.engine.affinity_training import checkpoint_of, epoch_batches, train_affinity
from incseg.errors import InvalidInputError, NonFiniteLossError
from incseg.models import AffinityNet, AffinityRandomWalk, BaseBackbone


class Halves(Dataset):
    """Dark is background, bright is class 1; the edge moves with the seed."""

    def __len__(self):
        return 5

    def __getitem__(self, item):
        edge = 8 * (4 + item[1] % 5)
        image = torch.full((3, 96, 96), 20, dtype=torch.uint8)
        image[:, :, edge:] = 220
        label = torch.zeros(12, 12, dtype=torch.uint8)
        label[:, edge // 8:] = 1
        return image, label


class Small(BaseBackbone):
    out_channels = stage_channels = (3, 3, 3)

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 8, 8)

    def forward_stages(self, x):
        maps = (self.conv(x),) * 3
        return maps, maps


@pytest.fixture
def net():
    torch.manual_seed(0)
    return AffinityNet(dict(type=Small), channels=(2, 2, 2))


def test_it_learns_the_edge(net):
    """After a few iterations bright and dark are told apart, and the loss is lower."""
    losses = train_affinity(net, Halves(), epochs=20, batch_size=5, lr=.03, progress=False)
    assert len(losses) == 20 and sum(losses[-3:]) < .7 * sum(losses[:3])


def test_same_seed_same_weights(net):
    """Bit for bit."""
    state = {name: value.clone() for name, value in net.state_dict().items()}
    first = train_affinity(net, Halves(), epochs=2, batch_size=2, progress=False)
    net.load_state_dict(state)
    assert train_affinity(net, Halves(), epochs=2, batch_size=2, progress=False) == first


def test_batches():
    """Each epoch has every image but those of a short batch; one short batch stays."""
    batches = list(epoch_batches(5, 3, 2, 0))
    assert [len(batch) for batch in batches] == [2] * 6
    for start in range(0, 6, 2):
        seen = [index for batch in batches[start:start + 2] for index, _ in batch]
        assert len(set(seen)) == 4
    assert [len(batch) for batch in epoch_batches(3, 2, 8, 0)] == [3, 3]
    assert list(epoch_batches(5, 1, 2, 0)) != list(epoch_batches(5, 1, 2, 1))


def test_checkpoint_fits_the_refinement(net, tmp_path):
    """What training writes is what :class:`AffinityRandomWalk` reads."""
    torch.save(checkpoint_of(net, seed=1), tmp_path / 'a.pth')
    walk = AffinityRandomWalk(
        dict(type='AffinityNet', backbone=dict(type=Small), channels=(2, 2, 2)),
        str(tmp_path / 'a.pth'))
    assert torch.equal(walk.net.joint.weight, net.joint.weight)


def test_errors(net):
    """Numbers out of range, and a loss that is none."""
    with pytest.raises(InvalidInputError, match='epochs=0, batch_size=8 and lr=0.01 of AffinityN'):
        train_affinity(net, Halves(), epochs=0)
    nn.init.constant_(net.joint.weight, float('nan'))
    with pytest.raises(NonFiniteLossError, match='became nan at iteration 0; lr=0.01 may be too'):
        train_affinity(net, Halves(), progress=False)
