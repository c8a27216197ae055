"""Pure functions of the losses; the registered losses are thin wrappers."""

from incseg.models.losses.functional.binary_cross_entropy import (
    binary_cross_entropy,
    soft_binary_cross_entropy,
)
from incseg.models.losses.functional.cross_entropy import unbiased_cross_entropy
from incseg.models.losses.functional.distillation import (
    binary_distillation,
    distillation,
    unbiased_distillation,
)
from incseg.models.losses.functional.pooled_distillation import pooled_distillation
from incseg.models.losses.fused.losses import fused_incremental_loss, fused_losses

__all__ = [
    'binary_cross_entropy',
    'binary_distillation',
    'distillation',
    'fused_incremental_loss',
    'fused_losses',
    'pooled_distillation',
    'soft_binary_cross_entropy',
    'unbiased_cross_entropy',
    'unbiased_distillation',
]
