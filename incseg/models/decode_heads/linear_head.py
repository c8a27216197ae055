"""A linear classifier on one map."""

from typing import Any

from torch import Tensor, nn

from incseg.models.decode_heads.base import BaseDecodeHead
from incseg.registry import MODELS


@MODELS.register_module()
class LinearHead(BaseDecodeHead):
    """Classify a map of the backbone as it is, as Segmenter's linear decoder does.

    Args:
        in_channels, kwargs: See :class:`BaseDecodeHead`.
        channels: Another number than ``in_channels`` puts a linear layer before the classifier.

    Source: Strudel et al., "Segmenter", ICCV 2021, section 3.2.
    """

    def __init__(self, in_channels: int, channels: int, **kwargs: Any):
        super().__init__(in_channels, channels, **kwargs)
        self.linear = nn.Conv2d(in_channels, channels, 1) if channels != in_channels else None

    def forward_features(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Return the features that are classified, ``(N, channels, h, w)``.

        Args:
            feats: The backbone's maps, each ``(N, C_i, h_i, w_i)``; ``feats[in_index]`` is read.
        """
        x = feats[self.in_index]
        return x if self.linear is None else self.linear(x)
