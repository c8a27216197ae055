from incseg.models.losses.ohem import OhemCrossEntropyLoss
from incseg.models.losses.segmentation import (
    BinaryCrossEntropyLoss,
    CrossEntropyLoss,
    PixelCrossEntropy,
    UnbiasedCrossEntropyLoss,
)

__all__ = [
    'BinaryCrossEntropyLoss',
    'CrossEntropyLoss',
    'OhemCrossEntropyLoss',
    'PixelCrossEntropy',
    'UnbiasedCrossEntropyLoss',
]
