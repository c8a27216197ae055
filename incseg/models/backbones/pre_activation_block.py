import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from torch import Tensor, nn


class PreActivationBlock(nn.Module):
    """Two 3x3 convolutions, each after normalisation and ReLU, and a short cut.

    The short cut is a 1x1 convolution of the activated input where the shape
    changes, else the input itself.

    Args:
        in_channels: Of the input.
        hidden: Between the two convolutions.
        out_channels: Of the result.
        norm_cfg: Normalisation.
        stride: Of the first convolution.
        dilations: Of the two convolutions.

    Source: He et al., "Identity Mappings in Deep Residual Networks", ECCV 2016.
    """

    def __init__(self, in_channels: int, hidden: int, out_channels: int, norm_cfg: dict,
                 stride: int = 1, dilations: tuple[int, int] = (1, 1)):
        super().__init__()
        first, second = dilations
        self.norm1 = build_norm_layer(norm_cfg, in_channels)[1]
        self.conv1 = nn.Conv2d(
            in_channels, hidden, 3, stride, padding=first, dilation=first, bias=False)
        self.norm2 = build_norm_layer(norm_cfg, hidden)[1]
        self.conv2 = nn.Conv2d(hidden, out_channels, 3, padding=second, dilation=second, bias=False)
        self.shortcut = None if in_channels == out_channels and stride == 1 else nn.Conv2d(
            in_channels, out_channels, 1, stride, bias=False)

    def activate(self, x: Tensor) -> Tensor:
        """What both branches start from: the input, normalised and rectified."""
        return F.relu(self.norm1(x))

    def forward(self, x: Tensor, activated: Tensor | None = None) -> Tensor:
        """``(N, C, h, w)``, and :meth:`activate` of it where it is known -> the sum."""
        activated = self.activate(x) if activated is None else activated
        branch = self.conv2(F.relu(self.norm2(self.conv1(activated))))
        return branch + (x if self.shortcut is None else self.shortcut(activated))
