"""Pure functions of the losses on full-size logits; the registered losses are thin wrappers."""

import warnings
from typing import Any

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

__all__ = [
    'binary_cross_entropy',
    'binary_distillation',
    'distillation',
    'pooled_distillation',
    'soft_binary_cross_entropy',
    'unbiased_cross_entropy',
    'unbiased_distillation',
]


def __getattr__(name: str) -> Any:
    """Find the fused losses here too, where they were in 0.1."""
    if name not in ('fused_incremental_loss', 'fused_losses'):
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from incseg.models.losses import fused

    warnings.warn(
        f'incseg.models.losses.functional.{name} is now incseg.models.losses.fused.{name}; the old '
        'name goes in 0.3',
        DeprecationWarning,
        stacklevel=2,
    )
    return getattr(fused, name)
