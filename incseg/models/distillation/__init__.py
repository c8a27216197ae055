from incseg.models.distillation.base import BaseDistillation
from incseg.models.distillation.features import FeatureDistillation, PooledDistillation
from incseg.models.distillation.logits import (
    BinaryDistillation,
    LogitsDistillation,
    SoftLabelDistillation,
    UnbiasedLogitsDistillation,
)

__all__ = [
    'BaseDistillation',
    'BinaryDistillation',
    'FeatureDistillation',
    'LogitsDistillation',
    'PooledDistillation',
    'SoftLabelDistillation',
    'UnbiasedLogitsDistillation',
]
