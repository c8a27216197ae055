"""AffinityNet learns, reproducibly, with the published rates."""

import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

from incseg.engine.weak.affinity.training import checkpoint_of, epoch_batches, train_affinity
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
        label[:, edge // 8 :] = 1
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
    """If it fails, training does not lower the loss of an edge between dark and bright."""
    losses = train_affinity(net, Halves(), epochs=20, batch_size=5, lr=0.03, progress=False)
    assert len(losses) == 20 and sum(losses[-3:]) < 0.7 * sum(losses[:3])


def test_same_seed_same_weights(net):
    """If it fails, two runs of one seed differ."""
    state = {name: value.clone() for name, value in net.state_dict().items()}
    first = train_affinity(net, Halves(), epochs=2, batch_size=2, progress=False)
    net.load_state_dict(state)
    assert train_affinity(net, Halves(), epochs=2, batch_size=2, progress=False) == first


class Growing(BaseBackbone):
    """Noise whose sums grow as a deep network's do, and a BatchNorm on them; a bias, a stem."""

    out_channels = stage_channels = (3, 3, 3)

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 3, 1, bias=False)
        self.conv = nn.Conv2d(3, 3, 8, 8)
        nn.init.normal_(self.conv.weight, std=10)
        self.norm = nn.BatchNorm2d(3)
        self.drop = nn.Dropout2d(0.5)

    def early_layers(self):
        return (self.stem,)

    def forward_stages(self, x):
        maps = (self.drop(self.norm(self.conv(self.stem(x)))),) * 3
        return maps, maps


def growing(**kwargs):
    torch.manual_seed(0)
    return AffinityNet(dict(type=Growing), channels=(2, 2, 2), **kwargs)


class Grains(Halves):
    """The same labels on images of noise."""

    def __getitem__(self, item):
        noise = torch.Generator().manual_seed(item[1])
        image = torch.randint(0, 256, (3, 96, 96), dtype=torch.uint8, generator=noise)
        return image, super().__getitem__(item)[1]


def test_noise_is_normalised():
    """If it fails, BatchNorm does not learn from random weights. With statistics 0 and 1 the
    features are so far apart that all affinities are 0: a loss of 5.8 (half of -log 1e-5) without a
    gradient."""
    net = growing()
    images, labels = map(torch.stack, zip(*(Grains()[i, i] for i in range(5))))
    inputs = net.data_preprocessor(dict(inputs=images))['inputs']
    assert net.eval().loss(inputs, labels) > 5
    losses = train_affinity(net, Grains(), epochs=1, batch_size=5, progress=False)
    assert losses[0] < 3 and net.backbone.norm.running_var.min() > 5
    assert int(net.backbone.norm.num_batches_tracked) == 1


def test_after_imagenet_norms_and_early_layers_stay():
    """If it fails, a frozen stem, or a frozen norm's weights or statistics, change by a bit, or the
    convolution and the new layers do not learn."""
    net = growing(frozen=True)
    net.backbone.norm.running_var.fill_(1e4)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    train_affinity(net, Halves(), epochs=1, batch_size=2, progress=False)
    moved = {
        name for name, value in net.state_dict().items() if not torch.equal(value, before[name])
    }
    assert moved == {
        'backbone.conv.weight',
        'backbone.conv.bias',
        'sides.0.weight',
        'sides.1.weight',
        'sides.2.weight',
        'joint.weight',
    }


def test_dropout_is_on():
    """If it fails, the network learns without dropout, unlike the published one."""
    net = growing(frozen=True)
    net.backbone.norm.running_var.fill_(1e4)
    seen = []
    net.backbone.drop.register_forward_hook(lambda part, args, out: seen.append((args[0], out)))
    train_affinity(net, Halves(), epochs=1, batch_size=5, progress=False)
    ((before, after),) = seen
    zero = (after == 0).flatten(2).all(2)
    assert 0 < zero.sum() < zero.numel()
    torch.testing.assert_close(after[~zero], 2 * before[~zero])


def test_rates_and_decay(net):
    """If it fails, the rates of plain SGD are wrong: x1 for the backbone's weights, x2 without
    decay for its biases, ``head_factor`` for the new layers; at the second of two updates (1/2) **
    0.9 of it."""
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    rates = []
    step = torch.optim.SGD.step

    def record(self, *args, **kwargs):
        rates.append(
            {
                id(p): (g['lr'], g['weight_decay'], g['momentum'])
                for g in self.param_groups
                for p in g['params']
            }
        )
        return step(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.SGD, 'step', record)
        train_affinity(
            net,
            Halves(),
            epochs=2,
            batch_size=5,
            lr=0.01,
            head_factor=10.0,
            momentum=0.5,
            progress=False,
        )
    first, second = rates
    for name, p in net.named_parameters():
        factor = 10 if not name.startswith('backbone') else 2 if name.endswith('bias') else 1
        decay = 0 if name.endswith('bias') else 5e-4
        assert first[id(p)] == pytest.approx((0.01 * factor, decay, 0.5))
        assert second[id(p)] == pytest.approx((0.01 * factor * 0.5**0.9, decay, 0.5))
        assert not torch.equal(p, before[name])


def test_autocast(net):
    """If it fails, amp does not reach the network, or its loss is far from that of float32."""
    kinds = []
    net.joint.register_forward_hook(lambda part, args, out: kinds.append(out.dtype))
    state = {name: value.clone() for name, value in net.state_dict().items()}
    rounded = train_affinity(net, Halves(), epochs=1, batch_size=5, amp=True, progress=False)
    net.load_state_dict(state)
    exact = train_affinity(net, Halves(), epochs=1, batch_size=5, progress=False)
    assert kinds == [torch.bfloat16, torch.float32]
    assert rounded == pytest.approx(exact, rel=0.05) and rounded != exact


def test_nothing_to_learn_from(net):
    """If it fails, labels that are all ignored give a loss of 0, and random weights are written as
    a trained network."""

    class Void(Halves):
        def __getitem__(self, item):
            image, label = super().__getitem__(item)
            return image, torch.full_like(label, 255)

    with pytest.raises(InvalidInputError, match='AffinityNet learned nothing: in no crop had two'):
        train_affinity(net, Void(), epochs=1, progress=False)


def test_batches():
    """If it fails, an epoch repeats an image, or a data set below one batch is never learned
    from."""
    batches = list(epoch_batches(5, 3, 2, 0))
    assert [len(batch) for batch in batches] == [2] * 6
    for start in range(0, 6, 2):
        seen = [index for batch in batches[start : start + 2] for index, _ in batch]
        assert len(set(seen)) == 4
    assert [len(batch) for batch in epoch_batches(3, 2, 8, 0)] == [3, 3]
    assert list(epoch_batches(5, 1, 2, 0)) != list(epoch_batches(5, 1, 2, 1))


def test_checkpoint_fits_the_refinement(net, tmp_path):
    """If it fails, :class:`AffinityRandomWalk` cannot read the checkpoint that training writes."""
    torch.save(checkpoint_of(net, seed=1), tmp_path / 'a.pth')
    walk = AffinityRandomWalk(
        dict(type='AffinityNet', backbone=dict(type=Small), channels=(2, 2, 2)),
        str(tmp_path / 'a.pth'),
    )
    assert torch.equal(walk.net.joint.weight, net.joint.weight)


def test_errors(net):
    """If it fails, numbers out of range or a NaN loss go unnoticed."""
    with pytest.raises(InvalidInputError, match='of AffinityNet is .0, 8, 0.01., expected whole'):
        train_affinity(net, Halves(), epochs=0)
    nn.init.constant_(net.joint.weight, float('nan'))
    with pytest.raises(NonFiniteLossError, match='became nan at iteration 0; lr=0.01 may be too'):
        train_affinity(net, Halves(), progress=False)
