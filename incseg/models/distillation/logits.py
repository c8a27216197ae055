"""Distillation of a head's logits, in one pass with the head's own loss where both allow it."""

from typing import Any, ClassVar

from torch import Tensor, nn

from incseg.models.distillation.base import BaseDistillation
from incseg.models.losses import PixelCrossEntropy
from incseg.models.losses.functional import (
    binary_distillation,
    distillation,
    unbiased_distillation,
)
from incseg.models.losses.fused import fused_losses
from incseg.models.losses.fused.image_by_image import image_by_image
from incseg.registry import MODELS
from incseg.structures import NetworkOutputs
from incseg.structures.network_outputs import upsample
from incseg.utils.rules import NOT_NEGATIVE, checked, expected


class SoftLabelDistillation(BaseDistillation):
    """Base class of the terms that compare a head's class probabilities with the teacher's.

    Args:
        loss_weight: Factor on the term, 0 or more.
        source: Name of the head whose logits are compared.
        alpha: Factor on the teacher's logits before its softmax, 0 or more.
        fused: Whether logits are upsampled a few rows at a time, together with
            the head's cross-entropy if that is fused too; else full-size logits are used.

    Raises:
        InvalidInputError: If a number is not allowed.

    See :func:`incseg.models.losses.functional.distillation` and
    :func:`incseg.models.losses.functional.unbiased_distillation`.
    """

    #: whether the teacher's background is compared with background plus new classes
    unbiased: ClassVar[bool]
    reads: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        loss_weight: float = 1.0,
        source: str = 'decode_head',
        alpha: float = 1.0,
        fused: bool = True,
    ):
        super().__init__(loss_weight, source)
        self.alpha = checked(f'{type(self).__name__} alpha', alpha, NOT_NEGATIVE)
        self.fused = fused

    def compare(self, student: NetworkOutputs, teacher: NetworkOutputs) -> Tensor:
        """Return the term without ``loss_weight``, a scalar of float32 or wider."""
        if self.fused:
            _, loss = fused_losses(
                student.logits[self.source],
                teacher.logits[self.source],
                size=student.size,
                alpha=self.alpha,
                unbiased=self.unbiased,
            )
            return loss
        plain = unbiased_distillation if self.unbiased else distillation
        return plain(student.full_size(self.source), teacher.full_size(self.source), self.alpha)


@MODELS.register_module()
class LogitsDistillation(SoftLabelDistillation):
    """LwF's term: the student's old classes follow the teacher's probabilities.

    Args:
        loss_weight: Factor on the term; 100 is customary.
        source: Name of the head whose logits are compared.
        alpha: Factor on the teacher's logits before its softmax, 0 or more.
        fused: Whether logits are upsampled a few rows at a time, which saves memory; else
            full-size logits are used.

    Source: Li and Hoiem, "Learning without Forgetting"; see
    :func:`incseg.models.losses.functional.distillation`.
    """

    unbiased = False


@MODELS.register_module()
class UnbiasedLogitsDistillation(SoftLabelDistillation):
    """MiB's distillation term: the teacher's background is compared with background + new classes.

    A method's config names it in ``method.distillation``; the network calls it with its own
    outputs and the teacher's, and adds the scalar that it returns to the losses.

    Args:
        loss_weight: Factor on the term; the config of MiB sets 10, and 100 for VOC 15-1.
        source: Name of the head whose logits are compared with those of the teacher's head.
        alpha: Factor on the teacher's logits before its softmax, 0 or more.
        fused: Whether logits are upsampled a few rows at a time, which saves memory; else
            full-size logits are used.  The result is the same.

    Source: Cermelli et al., CVPR 2020, eq. 7 and 8; see
    :func:`incseg.models.losses.functional.unbiased_distillation`.
    """

    unbiased = True

    def check(self, network: Any) -> None:
        """Refuse a network that does not have the head, or whose head has no background output.

        Raises:
            InvalidInputError: Naming the argument.
        """
        super().check(network)
        if not network.heads[self.source].has_background:
            raise expected('source', self.source, 'a head with a background output')


@MODELS.register_module()
class BinaryDistillation(BaseDistillation):
    """LwF-MC's term: each old class's sigmoid follows the teacher's.

    Args:
        loss_weight: Factor on the term; 10 is customary.
        source: Name of the head whose logits are compared.
        fused: Whether logits are upsampled one image at a time; else all together.

    Raises:
        InvalidInputError: If the weight is not allowed.

    See :func:`incseg.models.losses.functional.binary_distillation`.
    """

    reads: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, loss_weight: float = 1.0, source: str = 'decode_head', fused: bool = True):
        super().__init__(loss_weight, source)
        self.fused = fused

    def compare(self, student: NetworkOutputs, teacher: NetworkOutputs) -> Tensor:
        """Return the term without ``loss_weight``, a scalar of float32 or wider."""
        if not self.fused:
            return binary_distillation(
                student.full_size(self.source), teacher.full_size(self.source)
            )
        size = student.size
        return image_by_image(
            lambda logits, known: binary_distillation(logits, upsample(known, size)),
            student.logits[self.source],
            teacher.logits[self.source],
            size,
        )


def shares_a_pass(criterion: nn.Module, term: nn.Module) -> bool:
    """Say whether a head's loss and a distillation term can be computed together.

    Args:
        criterion: The head's loss.
        term: A distillation term on the same head.

    Returns:
        True if both are of the library's kinds that upsample logits a few rows at a time
        (``fused``); then :func:`losses_in_one_pass` takes them.
    """
    return (
        isinstance(criterion, PixelCrossEntropy)
        and criterion.fused
        and isinstance(term, SoftLabelDistillation)
        and term.fused
    )


def losses_in_one_pass(
    criterion: PixelCrossEntropy,
    term: SoftLabelDistillation,
    logits: Tensor,
    teacher_logits: Tensor,
    target: Tensor,
    *,
    num_old: int,
    ignore_index: int,
    image_weight: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return a head's weighted loss and the weighted term on the same head, two scalars.

    Both are computed from the same upsampled logits, a few rows at a time.

    Args:
        criterion: The head's loss; :func:`shares_a_pass` is True for it and the term.
        term: The term on the same head.
        logits: Student, ``(N, C, h, w)``.
        teacher_logits: Teacher, ``(N, K, h, w)``.
        target: ``(N, H, W)`` of train ids.
        num_old: Outputs before this step, the background included.
        ignore_index: Pixels with this label contribute zero to the head's loss.
        image_weight: ``(N,)``, a factor on each image's part of the head's loss, or None.
    """
    loss, distilled = fused_losses(
        logits,
        teacher_logits,
        target,
        num_old=criterion.merged(num_old),
        alpha=term.alpha,
        unbiased=term.unbiased,
        ignore_index=ignore_index,
        image_weight=image_weight,
    )
    return criterion.loss_weight * loss, term.loss_weight * distilled
