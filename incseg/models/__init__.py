from incseg.models.backbones import BaseBackbone, BiSeNet, ResNet
from incseg.models.classifier_init import BackgroundBalancedInit, RandomInit
from incseg.models.data_preprocessor import SegDataPreProcessor
from incseg.models.decode_heads import BaseDecodeHead, FCNHead, GrowingClassifier
from incseg.models.distillation import (
    BaseDistillation,
    LogitsDistillation,
    UnbiasedLogitsDistillation,
)
from incseg.models.losses import CrossEntropyLoss, UnbiasedCrossEntropyLoss
from incseg.models.segmentors import EncoderDecoder, IncrementalSegmentor

__all__ = [
    'BackgroundBalancedInit', 'BaseBackbone', 'BaseDecodeHead', 'BaseDistillation', 'BiSeNet',
    'CrossEntropyLoss', 'EncoderDecoder', 'FCNHead', 'GrowingClassifier', 'IncrementalSegmentor',
    'LogitsDistillation', 'RandomInit', 'ResNet', 'SegDataPreProcessor',
    'UnbiasedCrossEntropyLoss', 'UnbiasedLogitsDistillation',
]
