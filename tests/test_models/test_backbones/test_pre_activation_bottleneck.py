import torch
import torch.nn.functional as F

from incseg.models.backbones.resnet38d import PreActivationBottleneck


def make(**kwargs):
    torch.manual_seed(0)
    return PreActivationBottleneck(4, 16, dict(type='incseg.BN'), **kwargs)


def test_widths_and_sum():
    """A quarter, a half, all of the channels; the short cut always projects."""
    block = make(dilation=4).eval()
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
    block = make(dropout_ratio=1.0)
    x = torch.randn(2, 4, 9, 7)
    block.norm1.eval()
    assert torch.equal(block(x), block.shortcut(block.activate(x)))
    block.eval()
    assert not torch.equal(block(x), block.shortcut(block.activate(x)))
