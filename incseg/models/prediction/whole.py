"""Predict a batch of whole pictures, from one pass."""

from collections.abc import Callable

from mmengine.structures import PixelData
from torch import Tensor

from incseg.models.decode_heads.class_map import Decision, class_map
from incseg.structures import SegDataSample


def predict_whole(
    network: Callable[[Tensor], Tensor],
    decide: Decision | None,
    inputs: Tensor,
    data_samples: list[SegDataSample] | None = None,
) -> list[SegDataSample]:
    """Return the samples with ``pred_sem_seg``, see :meth:`EncoderDecoder.predict`.

    Args:
        network: Maps images to logits ``(N, C, h, w)``.
        decide: The decision of its principal head, None for the argmax.
        inputs: Normalised images ``(N, 3, H, W)``, maybe padded.
        data_samples: One per image; they are changed and returned.  None makes new ones.
    """
    if data_samples is None:
        data_samples = [SegDataSample() for _ in inputs]
    size = tuple(inputs.shape[-2:])
    shapes = [tuple(sample.get('img_shape', size)) for sample in data_samples]
    if all(shape == size for shape in shapes):
        logits = list(network(inputs))
    else:  # padding would enter the global pooling: each image gets a pass of its own
        logits = [
            network(image[None, :, :height, :width])[0]
            for image, (height, width) in zip(inputs, shapes)
        ]
    for sample, scores, shape in zip(data_samples, logits, shapes):
        full = tuple(sample.get('ori_shape', shape))
        labels = class_map(scores, shape, full, decide=decide)
        sample.pred_sem_seg = PixelData(data=labels[None])
    return data_samples
