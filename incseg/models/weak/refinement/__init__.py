"""Refinements sharpen the scores of an image before pseudo-labels are made from them.

A refinement is built from a config and has one method,
``refine(image, scores) -> scores``: ``image`` uint8 ``(3, H, W)``, BGR;
``scores`` float32 ``(1 + k, H, W)`` of 0 to 1 on the same device, the background
first; the result has the same shape.
"""

from incseg.models.weak.refinement.affinity_net import AffinityNet
from incseg.models.weak.refinement.affinity_random_walk import AffinityRandomWalk
from incseg.models.weak.refinement.dense_crf import DenseCRF
from incseg.models.weak.refinement.pamr import PAMR, NoRefinement

__all__ = ['PAMR', 'AffinityNet', 'AffinityRandomWalk', 'DenseCRF', 'NoRefinement']
