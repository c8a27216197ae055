from incseg.models.backbones import BaseBackbone, BiSeNet, ResNet
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
from incseg.models.labellers import EntropyPseudoLabeller
from incseg.models.losses import BinaryCrossEntropyLoss, CrossEntropyLoss, UnbiasedCrossEntropyLoss
from incseg.models.segmentors import EncoderDecoder, IncrementalSegmentor

__all__ = [
    'BackgroundBalancedInit', 'BaseBackbone', 'BaseDecodeHead', 'BaseDistillation', 'BiSeNet',
    'BinaryCrossEntropyLoss', 'BinaryDistillation', 'CrossEntropyLoss', 'EncoderDecoder',
    'EntropyPseudoLabeller', 'FCNHead', 'FeatureDistillation', 'GrowingClassifier',
    'IncrementalSegmentor', 'LogitsDistillation', 'PooledDistillation', 'RandomInit', 'ResNet',
    'SegDataPreProcessor', 'UnbiasedCrossEntropyLoss', 'UnbiasedLogitsDistillation',
]
