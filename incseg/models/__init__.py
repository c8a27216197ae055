from incseg.models.backbones import BaseBackbone, BiSeNet, ResNet, ResNet38d
from incseg.models.classifier_init import BackgroundBalancedInit, RandomInit
from incseg.models.data_preprocessor import SegDataPreProcessor
from incseg.models.decode_heads import BaseDecodeHead, FCNHead, GrowingClassifier
from incseg.models.distillation import (
    BaseDistillation,
    BinaryDistillation,
    FeatureDistillation,
    LogitsDistillation,
    PooledDistillation,
    UnbiasedLogitsDistillation,
)
from incseg.models.labellers import BaseLabeller, EntropyPseudoLabeller, Localisation
from incseg.models.losses import BinaryCrossEntropyLoss, CrossEntropyLoss, UnbiasedCrossEntropyLoss
from incseg.models.segmentors import EncoderDecoder, IncrementalSegmentor
from incseg.models.weak import SEAM, OnlineLocaliser, SEAMHead
from incseg.models.weak.refinement import (
    PAMR,
    AffinityNet,
    AffinityRandomWalk,
    DenseCRF,
    NoRefinement,
)

__all__ = [
    'AffinityNet',
    'AffinityRandomWalk',
    'BackgroundBalancedInit',
    'BaseBackbone',
    'BaseDecodeHead',
    'BaseDistillation',
    'BaseLabeller',
    'BiSeNet',
    'BinaryCrossEntropyLoss',
    'BinaryDistillation',
    'CrossEntropyLoss',
    'DenseCRF',
    'EncoderDecoder',
    'EntropyPseudoLabeller',
    'FCNHead',
    'FeatureDistillation',
    'GrowingClassifier',
    'IncrementalSegmentor',
    'Localisation',
    'LogitsDistillation',
    'NoRefinement',
    'OnlineLocaliser',
    'PAMR',
    'PooledDistillation',
    'RandomInit',
    'ResNet',
    'ResNet38d',
    'SEAM',
    'SEAMHead',
    'SegDataPreProcessor',
    'UnbiasedCrossEntropyLoss',
    'UnbiasedLogitsDistillation',
]
