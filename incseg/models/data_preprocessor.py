from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseDataPreprocessor
from mmengine.structures import PixelData
from torch import Tensor

from incseg.registry import MODELS
from incseg.structures import SegDataSample


@MODELS.register_module()
class SegDataPreProcessor(BaseDataPreprocessor):
    """uint8 images from the loader -> one normalised batch on the device.

    Images of one batch may differ in size: the smaller ones are padded at the
    right and bottom with the mean colour, their labels with 255; each sample's
    ``img_shape`` tells what is image.

    Args:
        mean: Per channel, in the order the network gets them.
        std: Likewise.
        bgr_to_rgb: Whether the loader's BGR becomes RGB.
        non_blocking: Whether the transfer to the device may overlap with work;
            it does where the loader pins its memory.
    """

    def __init__(
        self,
        mean: Sequence[float] = (123.675, 116.28, 103.53),
        std: Sequence[float] = (58.395, 57.12, 57.375),
        bgr_to_rgb: bool = True,
        non_blocking: bool = True,
    ):
        super().__init__(non_blocking)
        self.bgr_to_rgb = bgr_to_rgb
        self.register_buffer('mean', torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(-1, 1, 1), persistent=False)

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """``dict(inputs=[(3, H, W) uint8, …], data_samples=[…])`` -> the same, batched.

        ``inputs`` may come as one tensor, and labels as one under ``labels``,
        ``(N, H, W)``; they are given back to their samples.  ``inputs`` becomes
        float32 ``(N, 3, H, W)``.
        """
        data = self.cast_data(data)
        samples: list[SegDataSample] | None = data.get('data_samples')
        if 'labels' in data:
            for sample, labels in zip(samples or (), data['labels']):
                sample.gt_sem_seg = PixelData(data=labels[None])
        if isinstance(data['inputs'], Tensor):
            return dict(inputs=self._normalise(data['inputs']), data_samples=samples)
        images: list[Tensor] = list(data['inputs'])
        height = max(image.shape[-2] for image in images)
        width = max(image.shape[-1] for image in images)
        if all(image.shape[-2:] == (height, width) for image in images):
            batch = self._normalise(torch.stack(images))
        else:
            batch = torch.stack(
                [pad(self._normalise(image), (height, width), 0.0) for image in images]
            )
            samples = samples or [SegDataSample() for _ in images]
            for sample, image in zip(samples, images):
                sample.set_metainfo(dict(img_shape=tuple(image.shape[-2:])))
                if training and 'gt_sem_seg' in sample:
                    labels = pad(sample.gt_sem_seg.data, (height, width), 255)
                    sample.gt_sem_seg = PixelData(data=labels)  # it refuses another size in place
        return dict(inputs=batch, data_samples=samples)

    def _normalise(self, image: Tensor) -> Tensor:
        if self.bgr_to_rgb:
            image = image.flip(-3)
        return (image.float() - self.mean) / self.std


def pad(x: Tensor, size: tuple[int, int], value: float) -> Tensor:
    """Pad ``(…, h, w)`` at the right and bottom to ``size``."""
    return F.pad(x, (0, size[1] - x.shape[-1], 0, size[0] - x.shape[-2]), value=value)
