"""A head's cross-entropy and the distillation of the same head, upsampled once."""
from torch import Tensor, nn

from incseg.models.distillation.soft_label_distillation import SoftLabelDistillation
from incseg.models.losses import PixelCrossEntropy
from incseg.models.losses.functional import fused_losses


def shares_a_pass(criterion: nn.Module, term: nn.Module) -> bool:
    """Whether a head's loss and a term of distillation can be computed together."""
    return (isinstance(criterion, PixelCrossEntropy) and criterion.fused
            and isinstance(term, SoftLabelDistillation) and term.fused)


def losses_in_one_pass(
    criterion: PixelCrossEntropy, term: SoftLabelDistillation, logits: Tensor,
    teacher_logits: Tensor, target: Tensor, *, num_old: int, ignore_index: int,
    image_weight: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The weighted loss and the weighted term.

    Args:
        criterion: The head's loss.
        term: The term on the same head.
        logits: Student, ``(N, C, h, w)``.
        teacher_logits: Teacher, ``(N, K, h, w)``.
        target: ``(N, H, W)`` of train ids.
        num_old, ignore_index, image_weight: See :class:`PixelCrossEntropy`.
    """
    loss, kept = fused_losses(
        logits, teacher_logits, target, num_old=criterion.merged(num_old), alpha=term.alpha,
        unbiased=term.unbiased, ignore_index=ignore_index, image_weight=image_weight)
    return criterion.loss_weight * loss, term.loss_weight * kept
