"""Pure functions of learning from image-level labels."""

from incseg.models.weak.functional.equivariant_losses import equivariant_losses
from incseg.models.weak.functional.localisation import (
    balanced_cross_entropy,
    confident_pixels,
    image_classification_loss,
    image_weights,
    ngwp_scores,
    present_masks,
    segmentation_targets,
    smoothed_masks,
)
from incseg.models.weak.functional.normalise import cam_scores, max_norm, resize_corners
from incseg.models.weak.functional.pixel_correlation import pixel_correlation

__all__ = [
    'balanced_cross_entropy',
    'cam_scores',
    'confident_pixels',
    'equivariant_losses',
    'image_classification_loss',
    'image_weights',
    'max_norm',
    'ngwp_scores',
    'pixel_correlation',
    'present_masks',
    'resize_corners',
    'segmentation_targets',
    'smoothed_masks',
]
