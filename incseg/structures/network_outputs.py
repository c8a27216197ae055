from dataclasses import dataclass, field

import torch.nn.functional as F
from torch import Tensor


@dataclass
class NetworkOutputs:
    """Everything one forward pass of a segmentation network produced.

    Attributes:
        features: What the backbone returned, each ``(N, C_i, h_i, w_i)``.
        logits: Per head name, logits ``(N, C, h, w)`` as the head made them.
        size: ``(H, W)`` of the network's input.
        stages: The backbone's residual stages before their activation, shallow
            to deep; only where they were asked for.
        head_features: Per head name, what its classifier read, ``(N, C, h, w)``
            before dropout; only where they were asked for.
    """

    features: tuple[Tensor, ...]
    logits: dict[str, Tensor]
    size: tuple[int, int]
    stages: tuple[Tensor, ...] = ()
    head_features: dict[str, Tensor] = field(default_factory=dict)
    _upsampled: dict[str, Tensor] = field(default_factory=dict, repr=False)

    def full_size(self, head: str) -> Tensor:
        """Logits of a head at the input's size, ``(N, C, H, W)``.

        Bilinear, ``align_corners=False``, in float32 or wider.  Computed once:
        the segmentation loss and the distillation read the same tensor.
        """
        if head not in self._upsampled:
            self._upsampled[head] = upsample(self.logits[head], self.size)
        return self._upsampled[head]


def upsample(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Logits ``(N, C, h, w)`` to ``(N, C, H, W)``; half types become float32."""
    if logits.dtype.itemsize < 4:
        logits = logits.float()
    if tuple(logits.shape[-2:]) == tuple(size):
        return logits
    return F.interpolate(logits, size=size, mode='bilinear', align_corners=False)
