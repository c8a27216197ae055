from typing import ClassVar

from torch import Tensor

from incseg.models.distillation.base_distillation import BaseDistillation
from incseg.models.losses.functional import binary_distillation
from incseg.models.losses.functional.image_by_image import image_by_image
from incseg.registry import MODELS
from incseg.structures import NetworkOutputs
from incseg.structures.network_outputs import upsample


@MODELS.register_module()
class BinaryDistillation(BaseDistillation):
    """LwF-MC's term: each old class's sigmoid follows the teacher's.

    Args:
        loss_weight: Factor on the term; 10 is customary.
        source: Name of the head whose logits are compared.
        fused: Whether logits are upsampled an image at a time; else at once.

    See :func:`incseg.models.losses.functional.binary_distillation`.
    """

    reads: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self, loss_weight: float = 1.0, source: str = 'decode_head', fused: bool = True
    ):
        super().__init__(loss_weight, source)
        self.fused = fused

    def compare(self, student: NetworkOutputs, teacher: NetworkOutputs) -> Tensor:
        if not self.fused:
            return binary_distillation(
                student.full_size(self.source), teacher.full_size(self.source))
        size = student.size
        return image_by_image(
            lambda logits, taught: binary_distillation(logits, upsample(taught, size)),
            student.logits[self.source], teacher.logits[self.source], size)
