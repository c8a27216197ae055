"""Pure functions of learning from image-level labels."""
from incseg.models.weak.functional.equivariant_losses import equivariant_losses
from incseg.models.weak.functional.normalise import cam_scores, max_norm
from incseg.models.weak.functional.pixel_correlation import pixel_correlation
from incseg.models.weak.functional.resize import resize_corners

__all__ = ['cam_scores', 'equivariant_losses', 'max_norm', 'pixel_correlation', 'resize_corners']
