"""Predict one picture by the settings of a test; memory follows the window, not the picture."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from torch import Tensor

from incseg.models.decode_heads.class_map import class_map, label_type
from incseg.models.prediction.global_pooling import PictureAverages
from incseg.models.prediction.regions import (
    classes_of_region,
    probabilities_of_region,
    region_matrix,
)
from incseg.models.prediction.settings import GRID, PredictionSettings
from incseg.models.prediction.windows import Span, cells_of, grid_of, windows
from incseg.structures import SegDataSample


def predict_batch(model: Any, data: Mapping[str, Any], settings: PredictionSettings) -> Any:
    """Return the samples of a batch with ``pred_sem_seg``, each picture predicted by itself.

    Args:
        model: An :class:`EncoderDecoder` in evaluation mode.
        data: The loader's batch, as :class:`SegDataPreProcessor` gets it.
        settings: Windows, flips and scales.

    Returns:
        The data samples.
    """
    samples = data.get('data_samples') or [SegDataSample() for _ in data['inputs']]
    for i, (image, sample) in enumerate(zip(data['inputs'], samples)):
        if data.get('labels') is not None:
            sample.gt_sem_seg = PixelData(data=data['labels'][i][None])
        size = (image.shape[-2], image.shape[-1])
        target = tuple(sample.get('ori_shape', size))
        labels = PicturePrediction(model, image, target, settings).labels()
        sample.pred_sem_seg = PixelData(data=labels[None])
    return samples


class PicturePrediction:
    """The prediction of one picture.

    Args:
        model: An :class:`EncoderDecoder` in evaluation mode.
        image: uint8 ``(3, H, W)``, as the model's preprocessor gets it.
        target: ``(height, width)`` of the result.
        settings: Windows, flips and scales.

    Raises:
        InvalidInputError: The maps of the windows would not lie on the network's grid, see
            :meth:`PredictionSettings.check_grid`.
    """

    def __init__(
        self, model: Any, image: Tensor, target: tuple[int, int], settings: PredictionSettings
    ):
        self.model, self.image, self.target, self.settings = model, image, target, settings
        size = (image.shape[-2], image.shape[-1])
        self.windows = list(
            windows(size, settings.crop_size, settings.stride, cells_of(model.backbone))
        )
        if len(self.windows) > 1:
            settings.check_grid(grid_of(model.backbone, GRID))
        self.variants = [
            (scale, mirrored)
            for scale in settings.scales
            for mirrored in ((False, True) if settings.flip else (False,))
        ]
        self.averages = {variant: PictureAverages() for variant in self.variants}

    def labels(self, probabilities: Tensor | None = None) -> Tensor:
        """Return the train ids of the picture, ``(height, width)`` of the target.

        Args:
            probabilities: ``(C, height, width)`` for the C channels of the logits, floating
                point, on any device: it is filled with the probabilities that the train ids were
                decided by, softmax, or a sigmoid of each class.  None for no probabilities.
        """
        head = self.model.decode_head
        decide = head.own_decision
        independent = getattr(head.loss_decode, 'independent_classes', not head.has_background)
        if len(self.windows) == len(self.variants) == 1 and not self.settings.averages:
            [logits] = self._variants(*self.windows[0], record=False)
            size = (self.image.shape[-2], self.image.shape[-1])
            if probabilities is not None:
                downs, acrosses = self._matrices(*self.windows[0], [logits])
                probabilities[:] = probabilities_of_region([logits], downs, acrosses, independent)
            return class_map(logits, size, self.target, decide=decide)  # bit by bit as without
        if len(self.windows) > 1:
            self._pool()
        labels: Tensor | None = None
        for rows, columns in self.windows:
            variants = list(self._variants(rows, columns, record=False))
            downs, acrosses = self._matrices(rows, columns, variants)
            taken = rows.taken(self.target[0]), columns.taken(self.target[1])
            if probabilities is not None:
                probabilities[:, taken[0], taken[1]] = probabilities_of_region(
                    variants, downs, acrosses, independent
                ).to(probabilities)
            part = classes_of_region(variants, downs, acrosses, independent, decide)
            if labels is None:
                dtype = label_type(variants[0].shape[0], decide)
                labels = torch.empty(self.target, dtype=dtype, device=part.device)
            labels[taken] = part
        assert labels is not None
        return labels

    def _matrices(
        self, rows: Span, columns: Span, variants: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Return the matrices down and across of a window's logits, one of each for a variant."""
        sizes = [logits.shape[-2:] for logits in variants]
        downs = [
            self._matrix(rows, size[0], 0, scale) for size, (scale, _) in zip(sizes, self.variants)
        ]
        acrosses = [
            self._matrix(columns, size[1], 1, *variant)
            for size, variant in zip(sizes, self.variants)
        ]
        return downs, acrosses

    def _matrix(
        self, span: Span, count: int, axis: int, scale: float, mirrored: bool = False
    ) -> Tensor:
        """Return the matrix from a window's logits to the pixels that are taken, of one axis.

        The places of a mirrored window are the picture's own where they fill the window.
        """
        shifted = mirrored and span.size % (span.cell(count) or 1) > 0
        return region_matrix(span, count, self.target[axis], scale == 1 and not shifted)

    def _pool(self) -> None:
        """Find the averages of global pooling over the whole picture."""
        for _ in range(self.settings.pooling_passes):
            for rows, columns in self.windows:
                for _ in self._variants(rows, columns, record=True):
                    pass
                if not any(averages.number for averages in self.averages.values()):
                    return  # a network without global pooling
            for averages in self.averages.values():
                averages.end_pass()

    def _variants(self, rows: Span, columns: Span, record: bool) -> Iterator[Tensor]:
        """Yield a window's logits ``(C, h, w)``, one for each scale, mirrored or not."""
        window = self.image[:, rows.start : rows.stop, columns.start : columns.stop]
        prepared = self.model.data_preprocessor(dict(inputs=[window]), False)['inputs']
        for scale, mirrored in self.variants:
            inputs = prepared
            if scale != 1:
                size = [max(1, round(span.size * scale)) for span in (rows, columns)]
                inputs = F.interpolate(inputs, size, mode='bilinear', align_corners=False)
            if mirrored:
                inputs = inputs.flip(-1)
            spans = (rows, mirror(columns) if mirrored else columns)
            with self.averages[scale, mirrored].of_window(spans, record):
                logits = self.model(inputs, mode='tensor')[0]
            yield logits.flip(-1) if mirrored else logits


def mirror(span: Span) -> Span:
    """Return the columns of a window of the mirrored picture, where its taken pixels then lie."""
    first, last = (span.start + span.stop - edge for edge in (span.last, span.first))
    return replace(span, first=first, last=last)
