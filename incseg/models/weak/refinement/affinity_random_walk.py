from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from incseg.errors import InvalidInputError
from incseg.models.weak.refinement.affinity_labels import STRIDE
from incseg.models.weak.refinement.affinity_net import AffinityNet
from incseg.models.weak.refinement.affinity_pairs import pixel_affinities
from incseg.models.weak.refinement.random_walk import random_walk, transition_matrix
from incseg.registry import MODELS


@MODELS.register_module()
class AffinityRandomWalk:
    """Scores walk at random over the image, within what AffinityNet holds for one object.

    At stride 8: scores are averaged over blocks, multiplied by the transition
    matrix to the power ``2^doublings``, and enlarged again.  The background that
    goes with it is ``dict(mode='pow', value=6)``.

    Args:
        net: an :class:`AffinityNet`, or its config.
        exponent: of the affinities.
        doublings: how often the transition matrix is squared.

    Raises:
        InvalidInputError: an argument is out of range.

    Source: Ahn and Kwak, AffinityNet, CVPR 2018, section 3.3, with SEAM's
    exponents.
    """

    def __init__(self, net: AffinityNet | Mapping[str, Any], exponent: float = 8.,
                 doublings: int = 6) -> None:
        if not exponent > 0 or doublings < 0:
            raise InvalidInputError(
                f'AffinityRandomWalk has exponent={exponent} and doublings={doublings}; allowed '
                'are an exponent above 0 and 0 or more doublings')
        built = net if isinstance(net, AffinityNet) else MODELS.build(dict(net))
        self.net: AffinityNet = built.eval().requires_grad_(False)
        self.exponent = exponent
        self.doublings = doublings

    @torch.no_grad()
    def refine(self, image: Tensor, scores: Tensor) -> Tensor:
        """Walked scores ``(1 + k, H, W)``."""
        self.net.to(scores.device)
        height, width = scores.shape[1:]
        padding = (0, -width % STRIDE, 0, -height % STRIDE)
        inputs = self.net.data_preprocessor(dict(inputs=image[None]))['inputs']
        features = self.net(F.pad(inputs, padding))
        transition = transition_matrix(
            pixel_affinities(features)[0], tuple(features.shape[2:]), self.exponent)
        small = F.avg_pool2d(F.pad(scores[None], padding), STRIDE)[0]
        walked = random_walk(small, transition, self.doublings)
        large = F.interpolate(
            walked[None], scale_factor=STRIDE, mode='bilinear', align_corners=False)[0]
        return large[:, :height, :width]
