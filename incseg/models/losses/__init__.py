from incseg.models.losses.binary_cross_entropy_loss import BinaryCrossEntropyLoss
from incseg.models.losses.cross_entropy_loss import CrossEntropyLoss
from incseg.models.losses.pixel_cross_entropy import PixelCrossEntropy
from incseg.models.losses.unbiased_cross_entropy_loss import UnbiasedCrossEntropyLoss

__all__ = [
    'BinaryCrossEntropyLoss',
    'CrossEntropyLoss',
    'PixelCrossEntropy',
    'UnbiasedCrossEntropyLoss',
]
