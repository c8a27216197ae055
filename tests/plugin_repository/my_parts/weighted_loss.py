from torch import nn

from incseg.models.losses.functional import unbiased_cross_entropy
from incseg.registry import MODELS


@MODELS.register_module()
class WeightedLoss(nn.Module):
    """MiB's cross-entropy at full size, that knows of the weights of images."""

    def __init__(self, factor=1.0):
        super().__init__()
        self.factor = factor

    def forward(self, logits, target, *, num_old, ignore_index, image_weight=None):
        if logits.shape[-2:] != target.shape[-2:]:
            raise RuntimeError('logits were to come at the size of the labels')
        return self.factor * unbiased_cross_entropy(
            logits, target, num_old, ignore_index=ignore_index, image_weight=image_weight
        )
