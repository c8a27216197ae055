"""The preprocessor that makes a batch on the device."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseDataPreprocessor
from mmengine.structures import PixelData
from torch import Tensor

from incseg.constants import VOID
from incseg.models.backbones.base import scaling_of
from incseg.registry import MODELS, part_of
from incseg.structures import SegDataSample
from incseg.utils.rules import expected, is_number

#: of ImageNet's pixels, red, green and blue
MEAN = (123.675, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)


@MODELS.register_module()
class SegDataPreProcessor(BaseDataPreprocessor):
    """Turns uint8 images from the loader into one normalised batch on the device.

    Images of one batch may differ in size.  The smaller ones are padded at the
    right and bottom with the mean colour, in training their labels with 255;
    each sample's ``img_shape`` is the size of its image without the padding.

    Args:
        mean: Mean of each channel, 0 to 255, in the channel order of the network.
        std: Standard deviation of each channel, in the same order.
        bgr_to_rgb: Whether the loader's BGR becomes RGB.
        non_blocking: Whether the transfer to the device may overlap with computation,
            which it does if the loader pins its memory.
        saved: Whether mean and deviation are stored with the network's weights, and loaded
            with them; :func:`build_preprocessor` sets it where the weights bring their own.
    """

    def __init__(
        self,
        mean: Sequence[float] = MEAN,
        std: Sequence[float] = STD,
        bgr_to_rgb: bool = True,
        non_blocking: bool = True,
        saved: bool = False,
    ):
        super().__init__(non_blocking)
        for name, values, least, usual in (('mean', mean, None, MEAN), ('std', std, 0, STD)):
            numbers = isinstance(values, Sequence) and all(map(is_number, values))
            above = least is None or (numbers and all(value > least for value in values))
            if not (numbers and len(values) == 3 and above):
                raise expected(
                    f'{name} of {type(self).__name__}',
                    values,
                    'three numbers' + ('' if least is None else ' above 0') + ', one a channel',
                )
            check_of_255(f'{name} of {type(self).__name__}', values, usual)
        self.bgr_to_rgb = bgr_to_rgb
        self.register_buffer('mean', torch.tensor(mean).view(-1, 1, 1), persistent=saved)
        self.register_buffer('std', torch.tensor(std).view(-1, 1, 1), persistent=saved)

    @property
    def device(self) -> torch.device:
        """Where batches go: where the mean is, however it came there.

        mmengine's own notices only moves of one of its models.
        """
        return self.mean.device

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Move a batch to the device, and normalise and pad its images.

        Args:
            data: The loader's batch: ``inputs``, uint8 ``(N, 3, H, W)`` or a list of
                ``(3, H, W)``; ``data_samples``, or none; and ``labels``, uint8 ``(N, H, W)``,
                where :func:`incseg.datasets.collate_samples` took them from the samples.
            training: Whether the batch is trained on.

        Returns:
            ``inputs``, float32 ``(N, 3, H, W)``, and ``data_samples``; in training also
            ``labels``, uint8 ``(N, H, W)``, where the samples have some.  Then, and where the
            loader handed over ``labels``, each sample's ``gt_sem_seg`` is a view of its row.
        """
        data = self.cast_data(data)
        images: Tensor | list[Tensor] = data['inputs']
        samples: list[SegDataSample] | None = data.get('data_samples')
        labels: Tensor | list[Tensor] | None = data.get('labels')
        if training and labels is None and samples and all('gt_sem_seg' in s for s in samples):
            labels = [sample.gt_sem_seg.data[0] for sample in samples]
        if not isinstance(images, Tensor) and len({image.shape for image in images}) == 1:
            images = torch.stack(list(images))
        if isinstance(images, Tensor):
            inputs = self._normalise(images)
        else:
            height, width = (max(image.shape[i] for image in images) for i in (-2, -1))
            size = (height, width)
            inputs = torch.stack([pad_to(self._normalise(image), size, 0.0) for image in images])
            samples = samples or [SegDataSample() for _ in images]
            for sample, image in zip(samples, images):
                sample.set_metainfo(dict(img_shape=tuple(image.shape[-2:])))
            labels = None if labels is None else [pad_to(x, size, VOID) for x in labels]
        batch = dict(inputs=inputs, data_samples=samples)
        if labels is not None:
            labels = labels if isinstance(labels, Tensor) else torch.stack(labels)
            for sample, label_map in zip(samples or (), labels):
                sample.gt_sem_seg = PixelData(data=label_map[None])
            if training:
                batch['labels'] = labels
        return batch

    def _normalise(self, image: Tensor) -> Tensor:
        if self.bgr_to_rgb:
            image = image.flip(-3)
        return (image.float() - self.mean) / self.std


def build_preprocessor(config: Mapping[str, Any] | None, backbone: Mapping[str, Any]) -> Any:
    """Build the preprocessor of a network.

    Where its config does not say mean and deviation, they are those of the backbone's weights
    (:meth:`BaseBackbone.input_scaling`), and are stored with the network.

    Args:
        config: Config of the preprocessor; None for a :class:`SegDataPreProcessor`.
        backbone: Config of the backbone.
    """
    settings = {'type': 'SegDataPreProcessor', **(config or {})}
    ours = part_of(settings.get('type'), MODELS) is SegDataPreProcessor
    if ours and not {'mean', 'std'} & {*settings}:
        scaling = scaling_of(backbone)
        settings |= {} if scaling is None else dict(scaling, saved=True)
    # built here: mmengine's own registry would not find ours without a default scope
    return MODELS.build(settings)


def pad_to(x: Tensor, size: tuple[int, int], value: float) -> Tensor:
    """Pad a tensor at the right and bottom.

    Args:
        x: ``(…, h, w)``; not changed.
        size: ``(H, W)`` of the result, at least ``(h, w)``.
        value: Value of the padding.

    Returns:
        ``(…, H, W)``.
    """
    return F.pad(x, (0, size[1] - x.shape[-1], 0, size[0] - x.shape[-2]), value=value)


def check_of_255(option: str, values: Sequence[float] | None, usual: Sequence[float]) -> None:
    """Refuse numbers of pixels from 0 to 1.  Means of 0 and deviations of 1 change nothing.

    Args:
        option: Where the numbers are said, for the message.
        values: The numbers; None where it is absent.
        usual: ImageNet's numbers, the example of the message.

    Raises:
        InvalidInputError: Naming that place.
    """
    if values is not None and any(values) and all(abs(value) < 1 for value in values):
        example = ' '.join(f'{each:g}' for each in usual)
        raise expected(option, list(values), f'numbers of pixels from 0 to 255, as {example}')
