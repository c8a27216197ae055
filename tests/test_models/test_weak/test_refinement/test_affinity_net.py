import pytest
import torch
from torch import nn

from incseg.errors import InvalidInputError
from incseg.models import AffinityNet
from incseg.models.weak.refinement.affinity_net import affinity_loss
from incseg.models.weak.refinement.affinity_pairs import pixel_affinities


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
    with pytest.raises(InvalidInputError, match='AffinityNet has 2 channels for 3 maps of ResNet'):
        AffinityNet(dict(type='ResNet', depth=18), channels=(3, 4))
