"""BatchNorm as part of the convolution before it: the same maps from less work."""

import warnings

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from incseg.models import SEAM, EncoderDecoder
from incseg.models.batch_norm_folding import fold_batch_norm

IMAGES = torch.randn(2, 3, 40, 56, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def trained(model):
    """With statistics and scales as after training, in double precision."""
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return model.double().eval()


def seam(backbone):
    return trained(SEAM(backbone, 3))


def maps_of(model):
    return lambda images: torch.cat([maps.flatten() for maps in model.cams(images.double())])


def count(model):
    return sum(isinstance(module, _BatchNorm) for module in model.modules())


@pytest.mark.parametrize('depth', [18, 50])
def test_seam_is_the_same(depth):
    """If it fails, pseudo-labels are those of another network than the one that was trained."""
    model = seam(dict(type='ResNet', depth=depth, num_stages=3, output_stride=8))
    expected = maps_of(model)(IMAGES)
    fold_batch_norm(model, ['backbone'], maps_of(model))
    assert count(model) == 0
    torch.testing.assert_close(maps_of(model)(IMAGES), expected, rtol=1e-9, atol=1e-9)


def test_a_bisenet_is_the_same():
    """If it fails, the tolerance of prepare_for_inference hides a mistake (a forgotten eps)."""
    model = trained(EncoderDecoder(dict(type='BiSeNet', depth=18), dict(type='FCNHead'), [3, 2]))
    for conv in model.decode_head.classifier.convs:
        nn.init.normal_(conv.weight, std=0.2)
    with torch.no_grad():
        expected = model(IMAGES)
        fold_batch_norm(model, ['backbone', 'decode_head'], lambda images: model(images.double()))
        assert count(model) == 0
        assert (model(IMAGES) - expected).abs().max() < 1e-12 * expected.abs().max()


def test_norms_before_their_convolution():
    """ResNet-38d normalises first: of each block the first norm has to stay, others need not."""
    model = seam(dict(type='ResNet38d', width=8))
    expected, before = maps_of(model)(IMAGES), count(model)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        fold_batch_norm(model, ['backbone'], maps_of(model))
    assert count(model) < 0.6 * before
    torch.testing.assert_close(maps_of(model)(IMAGES), expected, rtol=1e-9, atol=1e-9)


class Twisted(nn.Module):
    """Two pairs, registered alike; in the second the norm comes first."""

    def __init__(self, inside=6):
        super().__init__()
        self.good = nn.ModuleDict(dict(conv=nn.Conv2d(3, 6, 1), norm=nn.BatchNorm2d(6)))
        self.bad = nn.ModuleDict(dict(conv=nn.Conv2d(6, inside, 1), norm=nn.BatchNorm2d(6)))

    def forward(self, x):
        x = self.good['norm'](self.good['conv'](x)).relu()
        return self.bad['conv'](self.bad['norm'](x))


@pytest.mark.parametrize('inside', [6, 4])
def test_what_does_not_follow_stays(inside):
    """If it fails, one odd block spoils a network, or keeps all others from being folded."""
    model = trained(nn.ModuleDict(dict(body=Twisted(inside))))
    expected = model.body(IMAGES)
    fold_batch_norm(model, ['body'], lambda images: model.body(images.double()))
    assert isinstance(model.body.bad['norm'], nn.BatchNorm2d)
    assert isinstance(model.body.good['norm'], nn.Identity)
    torch.testing.assert_close(model.body(IMAGES), expected)


def test_nothing_to_fold_is_said():
    """If it fails, nobody learns why a network is no faster."""
    model = trained(nn.ModuleDict(dict(body=Twisted())))
    model.body.good['norm'] = nn.Identity()
    with pytest.warns(UserWarning, match='Twisted: its BatchNorm is not what follows the conv'):
        fold_batch_norm(model, ['body'], lambda images: model.body(images.double()))
