"""Pure functions of learning from image-level labels."""

from incseg.models.weak.functional.activation_maps import cam_scores, max_norm, resize_corners
from incseg.models.weak.functional.equivariant_losses import equivariant_losses
from incseg.models.weak.functional.pixel_correlation import pixel_correlation
from incseg.models.weak.functional.wilson import (
    balanced_cross_entropy,
    confident_pixels,
    image_classification_loss,
    image_weights,
    ngwp_scores,
    present_masks,
    segmentation_targets,
    smoothed_masks,
)

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
