from abc import ABC, abstractmethod

import torch.nn.functional as F
from torch import Tensor, nn


class BaseBackbone(nn.Module, ABC):
    """What heads and methods may ask of a backbone; a new one gets every method.

    Attributes:
        out_channels: Channels of the maps that :meth:`forward` returns, the
            map of most use last.
        stage_channels: Channels of the maps between, see :meth:`forward_stages`.
    """

    out_channels: tuple[int, ...]
    stage_channels: tuple[int, ...]

    @property
    def tap_channels(self) -> tuple[int, ...]:
        """Channels of the three maps of :meth:`taps`."""
        return self.stage_channels[-3:]

    def taps(self, x: Tensor) -> tuple[Tensor, ...]:
        """``(N, 3, H, W)`` -> three activated maps, shallow to deep, each ``(N, C_i, h_i, w_i)``.

        What class activation maps and their refinement read (SEAM); by default
        the last three residual stages.
        """
        return tuple(F.relu(stage) for stage in self.forward_stages(x)[1][-3:])

    def early_layers(self) -> tuple[nn.Module, ...]:
        """What stays as ImageNet left it in fine-tuning (see :class:`SEAM`); none by default."""
        return ()

    def init_weights(self) -> None:
        """Load pretrained weights, where there are some and they are wanted."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """``(N, 3, H, W)`` -> the maps that heads read, each ``(N, C_i, h_i, w_i)``."""
        return self.forward_stages(x)[0]

    @abstractmethod
    def forward_stages(self, x: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """One pass that also hands out what lies between.

        Returns:
            The maps of :meth:`forward`, and one map per residual stage, shallow
            to deep: what its last block adds up, before the activation.  Terms
            that compare networks layer by layer (PLOP's pooled distillation)
            read these.
        """
