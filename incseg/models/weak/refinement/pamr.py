"""Refinement by colour, and none at all."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from incseg.registry import MODELS
from incseg.utils.rules import check_values, several, whole

RULES = dict(num_iters=whole(0), dilations=several(whole(1)))


@MODELS.register_module()
class PAMR:
    """Pixel-adaptive mask refinement: each pixel takes scores over from pixels of similar colour.

    The scores of each pixel become the weighted mean over 8 neighbours at each dilation.
    The weights are a softmax over all neighbours of the similarity of colours in
    units of the local deviation.  So the sum over the classes stays the same, and the
    scale of the image's values does not matter.

    Args:
        num_iters: Number of times that the means are taken.
        dilations: Distances of the neighbours, in pixels.

    Raises:
        InvalidInputError: If an argument is out of range.

    Source: Araslanov and Roth, Single-Stage Semantic Segmentation from Image
    Labels, CVPR 2020, section 4.3; the dilations are WILSON's (CVPR 2022).
    """

    def __init__(self, num_iters: int = 10, dilations: Sequence[int] = (1, 2, 4, 8, 12)) -> None:
        check_values('PAMR', dict(num_iters=num_iters, dilations=dilations), RULES)
        self.num_iters = num_iters
        self.dilations = tuple(dilations)

    def refine(self, image: Tensor, scores: Tensor) -> Tensor:
        """Return the refined scores of one image, ``(1 + k, H, W)``.

        Args:
            image: uint8 ``(3, H, W)``, BGR.
            scores: float32 ``(1 + k, H, W)`` of 0 to 1, the background first.
        """
        return self.refine_batch(image[None], scores[None])[0]

    def refine_batch(self, images: Tensor, scores: Tensor) -> Tensor:
        """Return the refined scores of images of one size, ``(N, C, H, W)``.

        Args:
            images: ``(N, 3, H, W)``, any colour order and scale.
            scores: float ``(N, C, H, W)``.
        """
        offsets = neighbours(self.dilations)
        weights = affinities(images.to(scores.dtype), offsets)
        reach = max(self.dilations)
        for _ in range(self.num_iters):
            padded = F.pad(scores, [reach] * 4, mode='replicate')
            scores = torch.zeros_like(scores)
            for weight, offset in zip(weights, offsets, strict=True):
                scores.addcmul_(weight, shifted(padded, offset, reach))
        return scores


def neighbours(dilations: Sequence[int]) -> list[tuple[int, int]]:
    """Return ``(dy, dx)`` in pixels to the 8 neighbours at each dilation."""
    return [
        (dy * d, dx * d)
        for d in dilations
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
        if (dy, dx) != (0, 0)
    ]


def shifted(padded: Tensor, offset: tuple[int, int], reach: int) -> Tensor:
    """Return the values at one offset from each pixel, of the size before padding.

    Args:
        padded: ``(…, H + 2 reach, W + 2 reach)``.
        offset: ``(dy, dx)``, each at most ``reach``.
        reach: Number of padded pixels on each side.

    Returns:
        ``(…, H, W)``, a view.
    """
    height, width = padded.shape[-2] - 2 * reach, padded.shape[-1] - 2 * reach
    top, left = reach + offset[0], reach + offset[1]
    return padded[..., top : top + height, left : left + width]


def affinities(images: Tensor, offsets: Sequence[tuple[int, int]]) -> Tensor:
    """Return the weights of each pixel's neighbours, a softmax of the similarity of colours.

    The local deviation is taken over all neighbours and the pixel itself, which counts
    once for each dilation.

    Args:
        images: ``(N, 3, H, W)``.
        offsets: ``(dy, dx)`` of T neighbours.

    Returns:
        ``(T, N, 1, H, W)``; the sum over T is 1.
    """
    reach = max(max(map(abs, offset)) for offset in offsets)
    padded = F.pad(images, [reach] * 4, mode='replicate')
    window = [*offsets, *[(0, 0)] * (len(offsets) // 8)]
    total = torch.zeros_like(images)
    for offset in window:
        total += shifted(padded, offset, reach)
    mean, squares = total / len(window), torch.zeros_like(images)
    for offset in window:
        squares += (shifted(padded, offset, reach) - mean).square_()
    scale = 1e-8 + 0.1 * (squares / (len(window) - 1)).sqrt()
    likeness = [
        -((images - shifted(padded, offset, reach)).abs_() / scale).mean(1, keepdim=True)
        for offset in offsets
    ]
    return torch.stack(likeness).softmax(0)


@MODELS.register_module()
class NoRefinement:
    """No refinement: the scores stay as they are."""

    def refine(self, image: Tensor, scores: Tensor) -> Tensor:
        """Return ``scores`` itself, ``(1 + k, H, W)``, whatever the image ``(3, H, W)``."""
        return scores
