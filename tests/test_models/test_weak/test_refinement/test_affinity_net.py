import pytest
import torch

from incseg.errors import InvalidInputError
from incseg.models import AffinityNet
from incseg.models.weak.refinement.affinity_loss import affinity_loss
from incseg.models.weak.refinement.affinity_pairs import pixel_affinities


def test_features_at_stride_8(affinity_net):
    """All maps meet at stride 8, whatever the backbone's strides; sizes round up."""
    assert affinity_net(torch.rand(2, 3, 60, 75)).shape == (2, 12, 8, 10)


def test_loss_reaches_every_weight(affinity_net):
    """The loss is that of the features, and each convolution learns."""
    images, labels = torch.rand(2, 3, 64, 96), torch.randint(0, 3, (2, 8, 12))
    loss = affinity_net.loss(images, labels)
    torch.testing.assert_close(
        loss, affinity_loss(pixel_affinities(affinity_net(images)), labels))
    loss.backward()
    assert all(p.grad.abs().sum() > 0 for p in affinity_net.parameters())


def test_three_maps_are_needed():
    """Said with the backbone's name."""
    with pytest.raises(InvalidInputError, match='AffinityNet has 2 channels for 3 maps of ResNet'):
        AffinityNet(dict(type='ResNet', depth=18), channels=(3, 4))
