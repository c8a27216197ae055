"""Class activation maps of images at several scales."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from incseg.engine.weak.image_batches import resized
from incseg.engine.weak.image_batches import scaled_size as scaled_size  # its module in 0.1
from incseg.models.weak.functional import max_norm
from incseg.utils.rules import POSITIVE, SWITCH, check_values, one_of, several

#: the maps that a network's ``cams`` returns, in order
MAPS = ('cam', 'refined')
#: rules of the arguments of :class:`CamInference`
RULES = dict(scales=several(POSITIVE), flip=SWITCH, maps=one_of(*MAPS))


class CamInference:
    """Class activation maps of images, summed over several scales and mirrored copies.

    Each image is resized to every scale (bicubic, to whole pixels and whole grey
    levels).  The network's maps are enlarged to the size of the resized image, then
    to that of the original, and added up; maps of mirrored copies are mirrored back
    first.  Each class of the sum is then stretched from its least to its greatest
    value, to 0..1 (a small constant keeps it just below 1).  For each scale, the
    images, which have one size, and their mirrored copies go through the network as
    one batch.

    Args:
        model: A network with ``data_preprocessor`` and ``cams(inputs) -> (cam, refined)``:
            ``inputs`` float ``(N, 3, h, w)`` from its preprocessor, both maps
            ``(N, 1 + C, h', w')``, the background first.
        scales: Factors on the image's size.
        flip: Whether mirrored copies are added.
        maps: ``'refined'``, or ``'cam'`` for the maps before SEAM's pixel correlation.

    Raises:
        InvalidInputError: An argument is out of range.

    Source: Wang et al., SEAM, CVPR 2020, section 4.1 and its code.
    """

    def __init__(
        self,
        model: Any,
        scales: Sequence[float] = (0.5, 1.0, 1.5, 2.0),
        flip: bool = True,
        maps: str = 'refined',
    ) -> None:
        check_values('inference', dict(scales=scales, flip=flip, maps=maps), RULES)
        self.model = model
        self.scales = tuple(scales)
        self.flip = flip
        self.which = MAPS.index(maps)

    @torch.no_grad()
    def __call__(self, images: Tensor, presence: Tensor) -> list[Tensor]:
        """Return the scores of the classes that each image shows.

        Args:
            images: uint8 ``(N, 3, H, W)``, BGR, on the model's device.
            presence: bool ``(N, C)``, on the CPU: the classes in each image, in the
                order of the model's outputs.

        Returns:
            For each image float32 ``(k, H, W)`` of 0 to 1, its ``k`` classes in
            order.

        Raises:
            InvalidInputError: An image has no pixel left at one of the scales.
        """
        image_of, class_of = presence.nonzero(as_tuple=True)
        total = torch.zeros(len(image_of), *images.shape[2:], device=images.device)
        used, row_of = image_of.unique(return_inverse=True)
        if len(used):
            images = images[used.to(images.device)].float()
            rows, channels = row_of.to(images.device), class_of.to(images.device) + 1
            for scale in self.scales:
                total += self._maps(images, scale, rows, channels)
        return list(stretched(total).split(presence.sum(1).tolist()))

    def _maps(self, images: Tensor, scale: float, rows: Tensor, channels: Tensor) -> Tensor:
        """Return the maps of P pairs of an image and a class at one scale, ``(P, H, W)``.

        Args:
            images: float ``(N, 3, H, W)``.
            scale: Factor on the images' size.
            rows: ``(P,)``, the image of each pair.
            channels: ``(P,)``, the channel of its class in the network's maps.
        """
        height, width = images.shape[2:]
        inputs = self.model.data_preprocessor(dict(inputs=resized(images, scale)))['inputs']
        size = inputs.shape[2:]
        if self.flip:
            inputs = torch.cat([inputs, inputs.flip(3)])
        small = self.model.cams(inputs.contiguous(memory_format=torch.channels_last))[self.which]
        maps = enlarged(small[rows, channels], size, (height, width))
        if self.flip:
            maps += enlarged(small[rows + len(images), channels], size, (height, width)).flip(2)
        return maps


def enlarged(maps: Tensor, size: Sequence[int], full_size: tuple[int, int]) -> Tensor:
    """Resize maps twice, bilinearly: to ``size``, then to ``full_size``.

    Args:
        maps: ``(P, h, w)``, one map per pair of an image and a class.
        size: ``(h', w')`` of the network's input.
        full_size: ``(H, W)`` of the image.

    Returns:
        ``(P, H, W)``.
    """
    large = F.interpolate(maps[:, None].float(), list(size), mode='bilinear', align_corners=True)
    return F.interpolate(large, full_size, mode='bilinear', align_corners=False)[:, 0]


def stretched(total: Tensor) -> Tensor:
    """Scale each map so that its lowest value is 0 and its highest almost 1.

    Args:
        total: ``(P, H, W)``, negative values count as 0; not changed.

    Returns:
        ``(P, H, W)``.
    """
    return max_norm(total[None])[0]
