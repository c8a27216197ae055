import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from torch import Tensor, nn


class PreActivationBottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution, each after normalisation and ReLU; 1x1 short cut.

    Whole channels are dropped before the second and the third.  The branch has
    a quarter, then half, then all of the channels.

    Args:
        in_channels: Of the input.
        out_channels: Of the result.
        norm_cfg: Normalisation.
        dilation: Of the 3x3 convolution.
        dropout_ratio: Share of channels dropped.

    Source: Wu et al., "Wider or Deeper", 2016 (the last two blocks of model A1).
    """

    def __init__(self, in_channels: int, out_channels: int, norm_cfg: dict, dilation: int = 1,
                 dropout_ratio: float = 0.):
        super().__init__()
        quarter, half = out_channels // 4, out_channels // 2
        self.norm1 = build_norm_layer(norm_cfg, in_channels)[1]
        self.conv1 = nn.Conv2d(in_channels, quarter, 1, bias=False)
        self.norm2 = build_norm_layer(norm_cfg, quarter)[1]
        self.conv2 = nn.Conv2d(quarter, half, 3, padding=dilation, dilation=dilation, bias=False)
        self.norm3 = build_norm_layer(norm_cfg, half)[1]
        self.conv3 = nn.Conv2d(half, out_channels, 1, bias=False)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.dropout = nn.Dropout2d(dropout_ratio)

    def activate(self, x: Tensor) -> Tensor:
        """What both branches start from: the input, normalised and rectified."""
        return F.relu(self.norm1(x))

    def forward(self, x: Tensor, activated: Tensor | None = None) -> Tensor:
        """``(N, C, h, w)``, and :meth:`activate` of it where it is known -> the sum."""
        activated = self.activate(x) if activated is None else activated
        branch = self.dropout(F.relu(self.norm2(self.conv1(activated))))
        branch = self.dropout(F.relu(self.norm3(self.conv2(branch))))
        return self.conv3(branch) + self.shortcut(activated)
