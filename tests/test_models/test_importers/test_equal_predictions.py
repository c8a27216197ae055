"""Networks of other libraries predict the same here, on equal weights and equal pictures."""

import pytest
import torch
from torch.nn.functional import interpolate

from incseg.apis import init_model
from incseg.apis.import_model import import_model
from tests.common.foreign_networks import (
    MmsegBiSeNet,
    SmpDeepLabV3Plus,
    torchvision_network,
    trained,
)

NAMES = ['background', 'a', 'b', 'c']


def imported(net, name, folder, background=True, **options):
    """The network after its import, with an output for every name."""
    torch.save(net.state_dict(), folder / 'net.pth')
    names = NAMES if background else NAMES[1:]
    path, _ = import_model(
        folder / 'net.pth', name, folder / 'step_0', names, background=background, **options
    )
    return init_model(path, device='cpu')


def picture(height=97, width=131):
    return torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(1))


def logits(network, x, head='decode_head'):
    return network.extract(x).full_size(head)


def check_equal(found, expected, scale=1.0):
    """Compare logits; random weights of a deep network make them large, and rounding with them."""
    spread = float(expected.std())
    assert spread > 0.01, 'the comparison would show nothing'
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * scale * max(spread, 1))


@pytest.mark.parametrize('background', [True, False])
@pytest.mark.parametrize(
    'name',
    [
        'deeplabv3_resnet50',
        pytest.param('deeplabv3_resnet101', marks=pytest.mark.slow),
        'deeplabv3_mobilenet_v3_large',
        'fcn_resnet50',
        pytest.param('fcn_resnet101', marks=pytest.mark.slow),
        'lraspp_mobilenet_v3_large',
    ],
)
@torch.no_grad()
def test_torchvisions_networks(name, background, tmp_path):
    """If it fails, a model of torchvision predicts other classes here, or the added output wins."""
    theirs = torchvision_network(name, 3 + background, auxiliary=background)
    ours = imported(theirs, name, tmp_path, background)
    expected, found = theirs(picture()), logits(ours, picture())
    assert background or bool((found.argmax(1) > 0).all())
    check_equal(found[:, not background :], expected['out'])
    has_auxiliary = background and not name.startswith('lraspp')
    assert ('aux' in ours.heads) == has_auxiliary == ('aux' in expected)
    if has_auxiliary:
        check_equal(logits(ours, picture(), 'aux'), expected['aux'])


@pytest.mark.parametrize('depth', [18, 50])
@torch.no_grad()
def test_deeplabv3plus_of_smp(tmp_path, depth):
    """If it fails, smp's names mean something else here; its own sizes are multiples of 16."""
    torch.manual_seed(0)
    theirs = trained(SmpDeepLabV3Plus(4, depth))
    ours = imported(theirs, f'smp_deeplabv3plus_resnet{depth}', tmp_path)
    check_equal(logits(ours, picture(96, 128)), theirs(picture(96, 128)))
    assert logits(ours, picture()).shape == (1, 4, 97, 131)


@torch.no_grad()
def test_our_words_of_smp_are_smps(tmp_path):
    """If it fails, the network above is not the published one."""
    smp = pytest.importorskip('segmentation_models_pytorch', reason='smp is not installed')
    torch.manual_seed(0)
    theirs = trained(smp.DeepLabV3Plus('resnet18', encoder_weights=None, classes=4))
    ours = SmpDeepLabV3Plus(4).eval()
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(ours(picture(96, 128)), theirs(picture(96, 128)))
    there = imported(theirs, 'smp_deeplabv3plus_resnet18', tmp_path)
    check_equal(logits(there, picture(96, 128)), theirs(picture(96, 128)))


@torch.no_grad()
def test_bisenetv1_of_mmsegmentation(tmp_path):
    """If it fails, a published name of BiSeNetV1 goes to another place."""
    torch.manual_seed(0)
    theirs = trained(MmsegBiSeNet(4))
    ours = imported(theirs, 'mmseg_bisenetv1_r18', tmp_path)
    for head, map_ in zip(('decode_head', 'aux_16', 'aux_32'), theirs(picture()), strict=True):
        full = interpolate(map_, (97, 131), mode='bilinear', align_corners=False)
        check_equal(logits(ours, picture(), head), full)


@torch.no_grad()
def test_pixels_are_scaled_as_the_source_scales_them(tmp_path):
    """If it fails, mean, deviation or channel order is lost on the way to the prediction."""
    theirs = torchvision_network('lraspp_mobilenet_v3_large', 4)
    pixels = torch.randint(0, 255, (3, 40, 52), dtype=torch.uint8)  # blue, green, red
    for number, (options, scale) in enumerate(
        (
            ({}, lambda x: (x / 255 - IMAGENET[0]) / IMAGENET[1]),
            (dict(mean=(10, 20, 30), std=(2, 4, 8), bgr=True), lambda x: (x.flip(0) - M) / S),
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        ours = imported(theirs, 'lraspp_mobilenet_v3_large', folder, **options)
        batch = ours.data_preprocessor(dict(inputs=[pixels]))
        given = scale(pixels.flip(0).float())[None]
        torch.testing.assert_close(batch['inputs'], given, rtol=1e-5, atol=1e-5)
        check_equal(logits(ours, batch['inputs']), theirs(given)['out'])


IMAGENET = [torch.tensor(x).view(3, 1, 1) for x in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
M, S = (torch.tensor(x).view(3, 1, 1) for x in ((10.0, 20, 30), (2.0, 4, 8)))
