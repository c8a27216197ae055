from incseg.models.decode_heads.aspp_head import ASPPHead
from incseg.models.decode_heads.base import BaseDecodeHead
from incseg.models.decode_heads.deeplabv3plus_head import DeepLabV3PlusHead
from incseg.models.decode_heads.fcn_head import FCNHead
from incseg.models.decode_heads.growing_classifier import GrowingClassifier
from incseg.models.decode_heads.linear_head import LinearHead
from incseg.models.decode_heads.lraspp_head import LRASPPHead
from incseg.models.decode_heads.mlp_head import MLPHead

__all__ = [
    'ASPPHead',
    'BaseDecodeHead',
    'DeepLabV3PlusHead',
    'FCNHead',
    'GrowingClassifier',
    'LRASPPHead',
    'LinearHead',
    'MLPHead',
]
