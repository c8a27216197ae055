"""SEAM's ResNet-38: sizes, maps, weights, and its blocks."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from incseg.errors import InvalidInputError, MissingFileError
from incseg.models import ResNet38d
from incseg.models.backbones.resnet38d import PreActivationBlock, PreActivationBottleneck


def weights_of(net):
    return {
        name: torch.rand_like(value)
        for name, value in net.state_dict().items()
        if not name.endswith('num_batches_tracked')
    }


def test_published_sizes():
    """104.5 million weights that SEAM trains and 0.87 million that it freezes; stride 8.

    The heads of SEAM (86016 + 32768 + 131072 + 37440) are not counted here.
    """
    with torch.device('meta'):
        net = ResNet38d()
        maps, stages = net.forward_stages(torch.empty(1, 3, 128, 128))
    assert [tuple(m.shape[1:]) for m in maps] == [(512, 16, 16), (1024, 16, 16), (4096, 16, 16)]
    assert [s.shape[1] for s in stages] == [128, 256, 512, 1024, 2048, 4096]
    assert [s.shape[2] for s in stages] == [64, 32, 16, 16, 16, 16]
    total = sum(p.numel() for p in net.parameters())
    assert round((total + 86016 + 32768 + 131072 + 37440) / 1e6, 2) == 105.36


def test_maps_are_the_inputs_of_the_next_stages():
    """Normalised and rectified: before stages 5 and 6, and after the last one."""
    torch.manual_seed(0)
    net = ResNet38d(width=2).eval()
    maps, stages = net.forward_stages(torch.randn(1, 3, 33, 40))
    for ours, norm, stage in zip(
        maps, (net.stage5[0].norm1, net.stage6[0].norm1, net.norm), stages[2:4] + stages[5:]
    ):
        assert torch.equal(ours, norm(stage).relu())
    assert all(
        torch.equal(a, b)
        for a, b in zip(net.cam_stages(torch.ones(1, 3, 16, 16)), net(torch.ones(1, 3, 16, 16)))
    )
    assert net.cam_stage_channels == net.out_channels == (16, 32, 128)
    assert tuple(stage.shape[1] for stage in stages) == net.stage_channels


def test_dilation_and_dropout():
    """Stage 5 sees 1 then 2 pixels far, stages 6 and 7 four; only those two drop channels."""
    net = ResNet38d(width=2)
    far = [
        [
            m.dilation[0]
            for m in stage.modules()
            if isinstance(m, nn.Conv2d) and m.kernel_size[0] == 3
        ]
        for stage in (net.stage4, net.stage5, net.stage6, net.stage7)
    ]
    assert far == [[1] * 12, [1, 2, 2, 2, 2, 2], [4], [4]]
    assert [m.p for m in net.modules() if isinstance(m, nn.Dropout2d)] == [0.3, 0.5]
    assert net.early_layers() == (net.stem, net.stage2)


def test_pretrained(tmp_path):
    """The file's weights are loaded by init_weights, and only where they are wanted."""
    torch.manual_seed(0)
    net = ResNet38d(pretrained=True, weights=str(tmp_path / 'w.pth'), width=2)
    state = weights_of(net)
    torch.save(state, tmp_path / 'w.pth')
    net.init_weights()
    assert all(torch.equal(net.state_dict()[name], value) for name, value in state.items())
    other = ResNet38d(weights=str(tmp_path / 'w.pth'), width=2)
    other.init_weights()
    assert not torch.equal(other.stem.weight, state['stem.weight'])


def test_pretrained_without_a_file(tmp_path):
    """What is missing, and the tool that makes it."""
    with pytest.raises(InvalidInputError, match='names no file; .*convert-resnet38-params'):
        ResNet38d(pretrained=True, width=1).init_weights()
    with pytest.raises(MissingFileError, match='no ImageNet weights at .*w.pth; .*pretrained='):
        ResNet38d(pretrained=True, weights=str(tmp_path / 'w.pth'), width=1).init_weights()


@pytest.mark.parametrize(
    'change',
    [
        lambda state: state.pop('norm.bias'),
        lambda state: state.update(fc=torch.ones(1)),
        lambda state: state.update({'stem.weight': torch.ones(2, 2)}),
    ],
)
def test_weights_of_another_network(change, tmp_path):
    """A missing, a foreign or a misshapen weight is named."""
    net = ResNet38d(pretrained=True, weights=str(tmp_path / 'w.pth'), width=1)
    state = weights_of(net)
    change(state)
    torch.save(state, tmp_path / 'w.pth')
    with pytest.raises(InvalidInputError, match=r'weights of ResNet38d: (norm.bias|fc|stem.weig)'):
        net.init_weights()


BN = dict(type='incseg.BN')


def test_same_shape_keeps_the_input():
    """x + conv(relu(bn(conv(relu(bn(x)))))): nothing on the short cut."""
    torch.manual_seed(0)
    block = PreActivationBlock(4, 6, 4, BN).eval()
    x = torch.randn(2, 4, 7, 9)
    hidden = F.conv2d((x / (1 + 1e-5) ** 0.5).relu(), block.conv1.weight, padding=1)
    branch = F.conv2d((hidden / (1 + 1e-5) ** 0.5).relu(), block.conv2.weight, padding=1)
    assert block.shortcut is None
    torch.testing.assert_close(block(x), x + branch)
    assert torch.equal(block(x, block.activate(x)), block(x))


def test_another_shape_projects_the_activated_input():
    """The 1x1 short cut reads what the branch reads, not the raw input; stride is its own too."""
    torch.manual_seed(0)
    block = PreActivationBlock(4, 6, 8, BN, stride=2).eval()
    x = torch.randn(2, 4, 7, 9)
    torch.nn.init.zeros_(block.conv2.weight)
    assert torch.equal(block(x), F.conv2d(block.activate(x), block.shortcut.weight, stride=2))
    assert block(x).shape == (2, 8, 4, 5)


def test_dilations():
    """First and second convolution see that far, and the size stays."""
    block = PreActivationBlock(4, 4, 4, BN, dilations=(1, 2))
    assert (block.conv1.dilation, block.conv2.dilation) == ((1, 1), (2, 2))
    assert block(torch.randn(1, 4, 5, 6)).shape == (1, 4, 5, 6)


def bottleneck(**kwargs):
    torch.manual_seed(0)
    return PreActivationBottleneck(4, 16, dict(type='incseg.BN'), **kwargs)


def test_widths_and_sum():
    """A quarter, a half, all of the channels; the short cut always projects."""
    block = bottleneck(dilation=4).eval()
    assert [layer.weight.shape[0] for layer in (block.conv1, block.conv2, block.conv3)] == [
        4,
        8,
        16,
    ]
    x, scale = torch.randn(2, 4, 9, 7), (1 + 1e-5) ** -0.5
    activated = (x * scale).relu()
    branch = F.conv2d(activated, block.conv1.weight)
    branch = F.conv2d((branch * scale).relu(), block.conv2.weight, padding=4, dilation=4)
    branch = F.conv2d((branch * scale).relu(), block.conv3.weight)
    torch.testing.assert_close(block(x), branch + F.conv2d(activated, block.shortcut.weight))


def test_whole_channels_are_dropped_in_training():
    """With all of them dropped, the short cut is left; in evaluation nothing is."""
    block = bottleneck(dropout_ratio=1.0)
    x = torch.randn(2, 4, 9, 7)
    block.norm1.eval()
    assert torch.equal(block(x), block.shortcut(block.activate(x)))
    block.eval()
    assert not torch.equal(block(x), block.shortcut(block.activate(x)))
