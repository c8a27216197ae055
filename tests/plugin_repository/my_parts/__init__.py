"""Parts of an experiment, one a file; importing the package registers them."""

from my_parts import (
    backbone,
    classifier_init,
    dataset,
    diary_hook,
    distillation,
    drift_hook,
    focal_loss,
    head,
    image_labels,
    labeller,
    mean_gradient_hook,
    refinement,
    transform,
    weighted_loss,
)

__all__ = [
    'backbone',
    'classifier_init',
    'dataset',
    'diary_hook',
    'distillation',
    'drift_hook',
    'focal_loss',
    'head',
    'image_labels',
    'labeller',
    'mean_gradient_hook',
    'refinement',
    'transform',
    'weighted_loss',
]
