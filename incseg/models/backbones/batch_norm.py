import torch.nn.functional as F
from torch import Tensor, nn

from incseg.registry import MODELS


@MODELS.register_module('BN')
class BatchNorm(nn.BatchNorm2d):
    """BatchNorm that also trains on a single value per channel.

    One value has no variance (torch refuses it).  It occurs with a batch of
    one after global pooling, or at stride 32 of a small image; then the
    running statistics serve, as in evaluation.
    """

    _abbr_ = 'bn'

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` -> the same."""
        if not self.training or x.numel() > x.shape[1] or not self.track_running_stats:
            return super().forward(x)
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, training=False,
            eps=self.eps)
