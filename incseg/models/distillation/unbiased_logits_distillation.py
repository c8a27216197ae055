from incseg.models.distillation.soft_label_distillation import SoftLabelDistillation
from incseg.registry import MODELS


@MODELS.register_module()
class UnbiasedLogitsDistillation(SoftLabelDistillation):
    """MiB's term: the teacher's background is matched by background + new classes.

    Args:
        loss_weight: Factor on the term; MiB uses 10, and 100 for VOC 15-1.
        source, alpha, fused: See :class:`SoftLabelDistillation`.
    """

    unbiased = True
