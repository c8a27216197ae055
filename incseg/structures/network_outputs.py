"""The outputs of a network's forward pass."""

from dataclasses import dataclass, field

import torch.nn.functional as F
from torch import Tensor


@dataclass
class NetworkOutputs:
    """The outputs of one forward pass of a segmentation network.

    Attributes:
        features: The backbone's maps, each ``(N, C_i, h_i, w_i)``.
        logits: Per head name, logits ``(N, C, h, w)`` at the head's resolution.
        size: ``(H, W)`` of the network's input.
        stages: The backbone's residual stages before their activation, each
            ``(N, C_i, h_i, w_i)``, shallow to deep; empty unless they were requested.
        head_features: Per head name, the input of its classifier, ``(N, C, h, w)``
            before dropout; empty unless they were requested.
    """

    features: tuple[Tensor, ...]
    logits: dict[str, Tensor]
    size: tuple[int, int]
    stages: tuple[Tensor, ...] = ()
    head_features: dict[str, Tensor] = field(default_factory=dict)
    _upsampled: dict[str, Tensor] = field(default_factory=dict, repr=False)

    def full_size(self, head: str) -> Tensor:
        """Return the logits of a head at the input's size, ``(N, C, H, W)``, float32 or wider.

        They are resized by :func:`upsample` at the first call and kept, so that the segmentation
        loss and the distillation read the same tensor.

        Args:
            head: Name of the head, a key of ``logits``.
        """
        if head not in self._upsampled:
            self._upsampled[head] = upsample(self.logits[head], self.size)
        return self._upsampled[head]


def upsample(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize logits bilinearly (``align_corners=False``); half types become float32.

    Args:
        logits: ``(N, C, h, w)``; not changed.
        size: ``(H, W)`` of the result in pixels.

    Returns:
        ``(N, C, H, W)``; the logits themselves if they have that size and are float32 or wider.
    """
    if logits.dtype.itemsize < 4:
        logits = logits.float()
    if tuple(logits.shape[-2:]) == tuple(size):
        return logits
    return F.interpolate(logits, size=size, mode='bilinear', align_corners=False)
