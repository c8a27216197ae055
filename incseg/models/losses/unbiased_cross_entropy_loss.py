from incseg.models.losses.pixel_cross_entropy import PixelCrossEntropy
from incseg.registry import MODELS


@MODELS.register_module()
class UnbiasedCrossEntropyLoss(PixelCrossEntropy):
    """MiB's cross-entropy: background stands for background and all old classes.

    Args:
        loss_weight, fused: See :class:`PixelCrossEntropy`.

    See :func:`incseg.models.losses.functional.unbiased_cross_entropy`.
    """

    #: What this loss is while there are no old classes; lets every method
    #: share the base step.
    base_step_type = 'CrossEntropyLoss'

    def merged(self, num_old: int) -> int:
        return num_old
