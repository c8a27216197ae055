"""AffinityNet: labels, pairs, loss and network."""

import math

import pytest
import torch
from torch import nn

from incseg.errors import InvalidInputError
from incseg.models import AffinityNet
from incseg.models.weak.refinement.affinity_net import affinity_loss
from incseg.models.weak.refinement.affinity_pairs import (
    affinity_labels,
    fitting_radius,
    has_pairs,
    offsets,
    pixel_affinities,
    pixel_pairs,
    sources,
)


def test_features_at_stride_8(affinity_net):
    """All maps meet at stride 8, whatever the backbone's strides; sizes round up."""
    assert affinity_net(torch.rand(2, 3, 60, 75)).shape == (2, 12, 8, 10)


def test_loss_reaches_every_weight(affinity_net):
    """The loss is that of the features, and each convolution learns."""
    images, labels = torch.rand(2, 3, 64, 96), torch.randint(0, 3, (2, 8, 12))
    loss = affinity_net.loss(images, labels)
    torch.testing.assert_close(loss, affinity_loss(pixel_affinities(affinity_net(images)), labels))
    loss.backward()
    assert all(p.grad.abs().sum() > 0 for p in affinity_net.parameters())


def test_loss_is_of_full_precision(affinity_net):
    """Under autocast the convolutions round, but not the differences of features: affinities of
    bfloat16 have eight bits, and 1 - a of neighbours would be 0 or 1/256."""
    images, labels = torch.rand(1, 3, 64, 64), torch.randint(0, 2, (1, 8, 8))
    with torch.autocast('cpu', torch.bfloat16):
        loss = affinity_net.loss(images, labels)
        features = affinity_net(images)
    assert features.dtype == torch.bfloat16 and loss.dtype == torch.float32
    torch.testing.assert_close(loss, affinity_loss(pixel_affinities(features.float()), labels))


def test_frozen():
    """As SEAM: stem, first stage and every norm keep their weights, norms their statistics too;
    dropout and the rest are in training.  Without, everything learns."""
    backbone = dict(type='ResNet38d', width=2)
    net = AffinityNet(backbone, frozen=True).train()
    learning = {name for name, p in net.named_parameters() if p.requires_grad}
    assert learning == {
        name
        for name, p in net.named_parameters()
        if p.ndim == 4 and not name.startswith(('backbone.stem', 'backbone.stage2'))
    }
    assert len(learning) == 35 + 4
    assert not any(part.training for part in net.backbone.norm_layers())
    dropouts = [part for part in net.modules() if isinstance(part, nn.Dropout2d)]
    assert len(dropouts) == 2 and all(part.training for part in dropouts)
    free = AffinityNet(backbone).train()
    assert all(p.requires_grad for p in free.parameters())
    assert all(part.training for part in free.modules())


def test_head_is_all_that_is_new(affinity_net):
    """What learns faster: everything beside the backbone, and its weights are not saved twice."""
    new = {id(p) for p in affinity_net.head.parameters()}
    assert new == {
        id(p) for name, p in affinity_net.named_parameters() if not name.startswith('backbone.')
    }
    assert not any(name.startswith('head') for name in affinity_net.state_dict())


def test_three_maps_are_needed():
    """Said with the backbone's name."""
    with pytest.raises(InvalidInputError, match='of AffinityNet is .2, 3., expected three'):
        AffinityNet(dict(type='ResNet', depth=18), channels=(3, 4))


def blocks(*columns):
    """Scores ``(3, 8, 8 n)``: one column of three scores for each block."""
    return torch.tensor(columns).T[:, None, :].repeat_interleave(8, 1).repeat_interleave(8, 2)


def test_sure_of_class_or_of_background():
    """Worked example, ids 0, 7, 16: class by the strong background; background by the weak one;
    neither: ignored; no score at all: ignored."""
    strong = blocks([0.2, 0.7, 0.1], [0.8, 0.1, 0.1], [0.8, 0.1, 0.1], [0.0, 0.0, 0.0])
    weak = blocks([0.1, 0.8, 0.1], [0.6, 0.2, 0.2], [0.1, 0.2, 0.7], [0.0, 0.0, 0.0])
    label = affinity_labels([0, 7, 16], strong, weak)
    assert label.dtype == torch.uint8 and label.tolist() == [[7, 0, 255, 255]]


def test_blocks_are_averaged():
    """37 pixels for class 16 against 27 for 7: what most of a block says, edge blocks too."""
    scores = torch.zeros(3, 8, 12)
    scores[1] = 0.5
    scores[2, :, :4] = 1.0
    scores[2, 0, 4:8] = 0.3
    assert affinity_labels([0, 7, 16], scores, scores).tolist() == [[16, 7]]


#: radius 2: the source is the middle of the upper row, its neighbours right and below
LABELS = torch.tensor([[[255, 5, 5], [0, 5, 255]]])


def test_worked_by_hand():
    """Source of class 5; right: 5, below left: 0, below: 5, below right: void.  Two pairs within
    the class, one across, none in the background."""
    affinities = torch.tensor([[[0.5], [0.2], [0.25], [0.9]]])
    expected = (-math.log(0.5) - math.log(0.25)) / 2 / 4 - math.log(0.8) / 2
    torch.testing.assert_close(
        affinity_loss(affinities, LABELS, 2), torch.tensor(expected), rtol=1e-4, atol=1e-4
    )


def test_background_counts_by_itself():
    """All background: a quarter of the mean, whatever the other kinds have."""
    affinities = torch.full((1, 4, 1), 0.5)
    loss = affinity_loss(affinities, torch.zeros(1, 2, 3, dtype=torch.uint8), 2)
    torch.testing.assert_close(loss, torch.tensor(math.log(2) / 4), rtol=1e-4, atol=1e-4)


def test_gradient_pulls_alike_together():
    """Up for pairs of one class, down for others, none where a pixel is ignored."""
    affinities = torch.full((1, 4, 1), 0.5, requires_grad=True)
    affinity_loss(affinities, LABELS, 2).backward()
    signs = affinities.grad.flatten().sign().tolist()
    assert signs == [-1, 1, -1, 0]
    assert torch.autograd.gradcheck(
        lambda a: affinity_loss(a, LABELS, 2),
        torch.rand(1, 4, 1, dtype=torch.float64).mul(0.8).add(0.1).requires_grad_(),
    )


def test_perfect_and_void():
    """Nothing to learn: 0, never NaN."""
    assert affinity_loss(torch.tensor([[[1.0], [0.0], [1.0], [0.3]]]), LABELS, 2).abs() < 1e-4
    void = torch.full((1, 2, 3), 255)
    assert affinity_loss(torch.full((1, 4, 1), 0.5), void, 2) == 0


def test_34_offsets():
    """Within a radius of 5, each pair once: an offset and its opposite would count it twice."""
    found = offsets()
    assert len(found) == len(set(found)) == 34
    assert all(dy >= 0 and dy**2 + dx**2 < 25 for dy, dx in found)
    assert not {(-dy, -dx) for dy, dx in found} & set(found)
    assert offsets(2) == [(0, 1), (1, -1), (1, 0), (1, 1)]


def test_neighbours_by_place():
    """Radius 2 on a 3x4 map that holds its own numbers: sources have all neighbours inside."""
    maps = torch.arange(12).view(3, 4)
    source, neighbours = pixel_pairs(maps, 2)
    assert source.tolist() == [1, 2, 5, 6]
    assert [n.tolist() for n in neighbours] == [
        [2, 3, 6, 7],
        [4, 5, 8, 9],
        [5, 6, 9, 10],
        [6, 7, 10, 11],
    ]


def test_affinity_by_hand():
    """exp of minus the mean distance: channels differ by 1 and 3, so exp(-2)."""
    features = torch.zeros(1, 2, 2, 3)
    features[0, :, 0, 2] = torch.tensor([1.0, -3.0])
    found = pixel_affinities(features, 2)
    assert found.shape == (1, 4, 1)
    torch.testing.assert_close(found[0, :, 0], torch.tensor([-2.0, 0, 0, 0]).exp())


@pytest.mark.parametrize(
    'size, radius',
    [
        ((56, 56), 5),
        ((11, 40), 5),
        ((10, 40), 4),
        ((40, 9), 4),
        ((8, 8), 3),
        ((6, 7), 2),
        ((5, 5), 2),
        ((4, 4), 2),
        ((2, 3), 2),
    ],
)
def test_radius_shrinks_on_small_maps(size, radius):
    """(n - 1) // 2 below an edge of 11, never below 2.  If it stayed 5, a map 8 wide had no source
    and the walk on an image of 64 x 64 would do nothing."""
    assert fitting_radius(size) == radius and has_pairs(size)
    source, neighbours = pixel_pairs(torch.zeros(size))
    found = list(neighbours)
    assert len(found) == len(offsets(radius)) and all(n.shape == source.shape for n in found)
    assert source.numel() == (size[0] - radius + 1) * (size[1] - 2 * radius + 2) > 0


def test_pairs_of_a_map_of_64_pixels():
    """On 8 x 8, radius 3: against all pairs of pixels, by their distance and place alone."""
    numbers = torch.arange(64).view(8, 8)
    source, neighbours = pixel_pairs(numbers)
    got = {(i, j) for n in neighbours for i, j in zip(source.tolist(), n.tolist())}
    expected = {
        (y * 8 + x, v * 8 + u)
        for y in range(6)
        for x in range(2, 6)
        for v in range(8)
        for u in range(8)
        if 0 < (y - v) ** 2 + (x - u) ** 2 < 9 and (v > y or v == y and u > x)
    }
    assert got == expected and len(got) == 12 * 24


def test_maps_without_pairs():
    """One row, or two columns: no source, and no pair."""
    for size in ((1, 20), (20, 2), (2, 2)):
        assert not has_pairs(size)
        assert pixel_affinities(torch.zeros(1, 2, *size)).shape == (1, 4, 0)
    assert sources((3, 20)) == (slice(0, 0), slice(4, 16))
