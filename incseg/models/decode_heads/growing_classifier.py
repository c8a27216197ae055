from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GrowingClassifier(nn.Module):
    """One 1x1 classifier per step, logits concatenated in learning order.

    However many steps there were, the forward pass is a single convolution
    over the concatenated weights.

    Args:
        channels: Input channels.
        outputs_per_step: Outputs of each step's classifier; the first one
            includes the background, which is output 0.
    """

    def __init__(self, channels: int, outputs_per_step: Sequence[int]):
        super().__init__()
        if not outputs_per_step or min(outputs_per_step) < 1:
            raise ValueError(
                f'outputs_per_step is {list(outputs_per_step)}, allowed: one positive number a step'
            )
        self.steps = nn.ModuleList(nn.Conv2d(channels, n, 1) for n in outputs_per_step)
        for conv in self.convs:
            nn.init.normal_(conv.weight, std=0.01)
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]

    @property
    def convs(self) -> list[nn.Conv2d]:
        return [conv for conv in self.steps if isinstance(conv, nn.Conv2d)]

    @property
    def num_outputs(self) -> int:
        """Outputs of all steps together."""
        return sum(conv.out_channels for conv in self.convs)

    @property
    def num_old(self) -> int:
        """Outputs before the newest step, background included; 1 at step 0."""
        if len(self.steps) == 1:
            return 1
        return self.num_outputs - self.convs[-1].out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Features ``(N, channels, h, w)`` -> logits ``(N, num_outputs, h, w)``."""
        weight = torch.cat([conv.weight for conv in self.convs])
        bias = torch.cat([conv.bias for conv in self.convs])  # type: ignore[misc]
        return F.conv2d(x, weight, bias)
