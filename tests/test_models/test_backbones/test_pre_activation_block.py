import torch
import torch.nn.functional as F

from incseg.models.backbones.resnet38d import PreActivationBlock

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
