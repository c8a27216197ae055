from incseg.models.distillation.soft_label_distillation import SoftLabelDistillation
from incseg.registry import MODELS


@MODELS.register_module()
class LogitsDistillation(SoftLabelDistillation):
    """LwF's term: the student's old classes follow the teacher's probabilities.

    Args:
        loss_weight: Factor on the term; 100 is customary.
        source, alpha, fused: See :class:`SoftLabelDistillation`.
    """

    unbiased = False
