"""Heads of other networks, against torchvision's on equal weights."""

import pytest
import torch
import torchvision
from torch.nn.functional import interpolate

from incseg.errors import InvalidInputError
from incseg.models.segmentors.head_building import build_head
from incseg.registry import MODELS
from tests.conftest import CONFIGS


def trained(net):
    """Give a network statistics and affine weights that are not those of its start."""
    generator = torch.Generator().manual_seed(0)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for value in (module.weight, module.running_var):
                value.data = 0.5 + torch.rand(value.shape, generator=generator)
            for value in (module.bias, module.running_mean):
                value.data = 0.1 * torch.randn(value.shape, generator=generator)
    return net.eval()


def copy_conv(ours, conv, norm):
    """Copy a convolution with its norm into a ConvModule."""
    ours.conv.load_state_dict(conv.state_dict())
    ours.norm.load_state_dict(norm.state_dict(), strict=False)


def only_classifier(head, *convs):
    """Copy classifiers, which read parts of the features one after the other."""
    step = head.classifier.steps[0]
    step.weight.data = torch.cat([conv.weight.data for conv in convs], 1)
    step.bias.data = sum(conv.bias.data for conv in convs)


@torch.no_grad()
def test_deeplabv3_is_torchvisions():
    """If it fails, a model of torchvision predicts other classes here."""
    torch.manual_seed(0)
    theirs = trained(
        torchvision.models.segmentation.deeplabv3_resnet50(
            weights=None, weights_backbone=None, num_classes=5
        )
    )
    backbone = MODELS.build(dict(type='ResNet', depth=50, output_stride=8)).eval()
    backbone.load_state_dict(theirs.backbone.state_dict())
    config = dict(type='ASPPHead', channels=256, rates=(12, 24, 36))
    head = build_head(backbone, [5], 'decode_head', config).eval()
    pyramid, *last = theirs.classifier
    for ours, branch in zip(head.branches, list(pyramid.convs)[:4], strict=True):
        copy_conv(ours, branch[0], branch[1])
    copy_conv(head.pooled, pyramid.convs[4][1], pyramid.convs[4][2])
    copy_conv(head.project, pyramid.project[0], pyramid.project[1])
    copy_conv(head.conv, last[0], last[1])
    only_classifier(head, last[3])
    images = torch.randn(2, 3, 97, 131)
    expected = theirs(images)['out']
    found = interpolate(head(backbone(images)), (97, 131), mode='bilinear', align_corners=False)
    assert expected.std() > 0.01
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_lraspp_is_torchvisions():
    """If it fails, a light model of torchvision predicts other classes here."""
    torch.manual_seed(0)
    theirs = trained(
        torchvision.models.segmentation.lraspp_mobilenet_v3_large(
            weights=None, weights_backbone=None, num_classes=5
        )
    ).classifier
    maps = torch.randn(2, 40, 13, 17), torch.randn(2, 960, 7, 9)
    head = MODELS.build(dict(type='LRASPPHead', in_channels=[40, 960], in_index=[0, 1]))
    head.build_classifier([5])
    copy_conv(head.conv, theirs.cbr[0], theirs.cbr[1])
    head.weight.load_state_dict(theirs.scale[1].state_dict())
    only_classifier(head, theirs.low_classifier, theirs.high_classifier)
    expected = theirs(dict(low=maps[0], high=maps[1]))
    torch.testing.assert_close(head.eval()(maps), expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_pyramid_is_read_at_the_first_maps_size():
    """If it fails, a light head returns maps of another size, or reads one map only."""
    maps = tuple(torch.randn(2, c, *s) for c, s in ((4, (16, 18)), (6, (8, 9)), (8, (4, 5))))
    head = MODELS.build(dict(type='MLPHead', in_channels=[4, 6, 8], channels=5, in_index=[0, 1, 2]))
    head.build_classifier([3])
    before = head.eval()(maps)
    assert before.shape == (2, 3, 16, 18)
    for i in range(3):
        others = [torch.zeros_like(x) if j == i else x for j, x in enumerate(maps)]
        assert not torch.allclose(head(others), before)


class Pyramid:
    out_channels = (4, 6, 8)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(in_index=[0, 3]), r'in_index is \[0, 3\], expected the index of one of the 3 maps'),
        (dict(in_index=[]), r'in_index is \[\], expected the index'),
        (dict(in_index=[0, 1], in_channels=[4, 8]), r'in_channels is \[4, 8\], expected \[4, 6\]'),
        (dict(in_index=[0, 1], in_channels=4), r'in_channels is 4, expected \[4, 6\]'),
    ],
)
def test_maps_that_the_backbone_lacks(options, message):
    with pytest.raises(InvalidInputError, match=message):
        build_head(Pyramid(), [3], 'decode_head', dict(type='MLPHead', channels=5, **options))


@pytest.mark.parametrize('rates', [[0], [1.5], ['x'], []])
def test_rates(rates):
    with pytest.raises(InvalidInputError, match='rates of ASPPHead is .*expected'):
        MODELS.build(dict(type='ASPPHead', in_channels=4, channels=5, rates=rates))


NETWORKS = (
    *('deeplabv3_r101', 'deeplabv3_r50', 'deeplabv3_lite0', 'lraspp_mobilenetv3'),
    *('mlp_lite0', 'mlp_swin_t', 'linear_vit_s'),
)


@pytest.mark.parametrize('name', NETWORKS)
@torch.no_grad()
def test_bases_of_models(name):
    """If it fails, a network of configs/_base_/models does not fit together."""
    from mmengine.config import Config

    if 'lite0' in name or 'swin' in name or 'vit' in name:
        pytest.importorskip('timm')
    base = Config.fromfile(CONFIGS / f'_base_/models/{name}.py')
    model = base.model.to_dict()
    model['backbone']['pretrained'] = False
    for part in (model['backbone'], model['decode_head']):
        part.update(dict(norm_cfg=base.norm_cfg) if 'norm_cfg' in part else {})
    net = MODELS.build(dict(model, outputs_per_step=[4, 1])).eval()
    logits = net(torch.randn(1, 3, 65, 97), mode='tensor')
    assert logits.shape[:2] == (1, 5)
