"""Pure functions of the losses; the registered losses are thin wrappers."""
from incseg.models.losses.functional.cross_entropy import unbiased_cross_entropy
from incseg.models.losses.functional.distillation import distillation, unbiased_distillation

__all__ = ['distillation', 'unbiased_cross_entropy', 'unbiased_distillation']
