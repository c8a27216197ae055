from incseg.models.losses.segmentation import (
    BinaryCrossEntropyLoss,
    CrossEntropyLoss,
    PixelCrossEntropy,
    UnbiasedCrossEntropyLoss,
)

__all__ = [
    'BinaryCrossEntropyLoss',
    'CrossEntropyLoss',
    'PixelCrossEntropy',
    'UnbiasedCrossEntropyLoss',
]
