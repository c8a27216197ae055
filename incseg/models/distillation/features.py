"""Distillation of feature maps."""

from collections.abc import Sequence
from math import sqrt
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor

from incseg.models.distillation.base import BaseDistillation
from incseg.models.losses.functional import pooled_distillation
from incseg.registry import MODELS
from incseg.structures import NetworkOutputs
from incseg.utils.precision import at_least_float32
from incseg.utils.rules import NOT_NEGATIVE, checked, expected


@MODELS.register_module()
class FeatureDistillation(BaseDistillation):
    """ILT's term: mean squared difference of student and teacher in one of the backbone's maps.

    Args:
        loss_weight: Factor on the term; 100 is customary.
        index: Index of the map; by default the last one, which the
            principal head reads (in BiSeNet the fused map).

    Source: Michieli and Zanuttigh, "Incremental Learning Techniques for
    Semantic Segmentation", ICCV Workshops 2019.
    """

    reads: ClassVar[frozenset[str]] = frozenset({'features'})

    def __init__(self, loss_weight: float = 1.0, index: int = -1):
        super().__init__(loss_weight)
        self.index = index

    def check(self, network: Any) -> None:
        """Refuse a network without the map.

        Raises:
            InvalidInputError: Naming the argument and the allowed range.
        """
        maps = len(network.backbone.out_channels)
        if not isinstance(self.index, int) or not -maps <= self.index < maps:
            raise expected('index', self.index, f'{-maps} to {maps - 1}')

    def compare(self, student: NetworkOutputs, teacher: NetworkOutputs) -> Tensor:
        """Return the mean squared difference of the two maps, a scalar of float32 or wider."""
        return F.mse_loss(
            at_least_float32(student.features[self.index]),
            at_least_float32(teacher.features[self.index].detach()),
        )


@MODELS.register_module()
class PooledDistillation(BaseDistillation):
    """PLOP's term: difference of student and teacher in pooled activations of every layer.

    Means of rows and columns are compared, taken in tiles of the maps at several scales.  The
    layers are the backbone's residual stages before their activation, the features that the
    head's classifier reads, and the head's logits at their own resolution.  The term grows with
    the number of classes: it is multiplied by ``sqrt(C / N)`` with ``C`` outputs of the student,
    background included, of which ``N`` are new.

    Args:
        loss_weight: Factor on the term.
        source: Name of the head whose features and logits are compared.
        feature_factor: Factor on the stages and the head's features; 0.01 for VOC,
            0.001 for ADE20K.
        logits_factor: Factor on the logits; 0.0005 for VOC, 0.00001 for ADE20K.
        scales: Numbers of tiles along each side.

    Raises:
        InvalidInputError: If a factor is below 0, or ``scales`` is not a list of positive
            whole numbers.

    See :func:`incseg.models.losses.functional.pooled_distillation`.

    Source: Douillard et al., CVPR 2021, section 3.2.
    """

    reads: ClassVar[frozenset[str]] = frozenset({'intermediate'})

    def __init__(
        self,
        loss_weight: float = 1.0,
        source: str = 'decode_head',
        feature_factor: float = 0.01,
        logits_factor: float = 0.0005,
        scales: Sequence[int] = (1, 2, 4),
    ):
        super().__init__(loss_weight, source)
        self.feature_factor = checked(
            'PooledDistillation feature_factor', feature_factor, NOT_NEGATIVE
        )
        self.logits_factor = checked(
            'PooledDistillation logits_factor', logits_factor, NOT_NEGATIVE
        )
        if (
            not isinstance(scales, Sequence)
            or not scales
            or not all(isinstance(s, int) and s > 0 for s in scales)
        ):
            raise expected('PooledDistillation scales', scales, 'positive whole numbers')
        self.scales = tuple(scales)

    def compare(self, student: NetworkOutputs, teacher: NetworkOutputs) -> Tensor:
        """Return the term without ``loss_weight``, a scalar of float32 or wider."""
        ours, theirs = (
            [*outputs.stages, outputs.head_features[self.source], outputs.logits[self.source]]
            for outputs in (student, teacher)
        )
        factors = [self.feature_factor] * (len(ours) - 1) + [self.logits_factor]
        num_classes, num_old = ours[-1].shape[1], theirs[-1].shape[1]
        # without new classes (only the domain changes) published code has no such factor
        growth = sqrt(num_classes / ((num_classes - num_old) or num_classes))
        return growth * pooled_distillation(ours, theirs, num_old, factors, self.scales)
