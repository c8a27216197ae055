from incseg.models.distillation.base_distillation import BaseDistillation
from incseg.models.distillation.binary_distillation import BinaryDistillation
from incseg.models.distillation.feature_distillation import FeatureDistillation
from incseg.models.distillation.logits_distillation import LogitsDistillation
from incseg.models.distillation.pooled_distillation import PooledDistillation
from incseg.models.distillation.soft_label_distillation import SoftLabelDistillation
from incseg.models.distillation.unbiased_logits_distillation import UnbiasedLogitsDistillation

__all__ = [
    'BaseDistillation',
    'BinaryDistillation',
    'FeatureDistillation',
    'LogitsDistillation',
    'PooledDistillation',
    'SoftLabelDistillation',
    'UnbiasedLogitsDistillation',
]
