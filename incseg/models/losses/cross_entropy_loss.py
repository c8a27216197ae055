from incseg.models.losses.pixel_cross_entropy import PixelCrossEntropy
from incseg.registry import MODELS


@MODELS.register_module()
class CrossEntropyLoss(PixelCrossEntropy):
    """Ordinary cross-entropy: to fine-tuning, background is background.

    Args:
        loss_weight, fused: See :class:`PixelCrossEntropy`.
    """

    def merged(self, num_old: int) -> int:
        return 0
