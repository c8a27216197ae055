from incseg.models.decode_heads.base import BaseDecodeHead
from incseg.models.decode_heads.fcn_head import FCNHead
from incseg.models.decode_heads.growing_classifier import GrowingClassifier

__all__ = ['BaseDecodeHead', 'FCNHead', 'GrowingClassifier']
