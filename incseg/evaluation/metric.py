from collections.abc import Sequence
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.evaluator import BaseMetric
from torch import Tensor

from incseg.evaluation.confusion import (
    iou_per_class,
    matrix_of_counts,
    pair_counts,
    pixel_accuracy,
)
from incseg.registry import METRICS


@METRICS.register_module()
class ConfusionMetric(BaseMetric):
    """One confusion matrix over all test images, exact under several processes.

    Each process counts its own images, each image once, and the matrices are
    summed.  Predictions are not stored.
    """

    default_prefix = 'seg'

    def __init__(self) -> None:
        super().__init__(collect_device='cpu')
        self.counts: Tensor | None = None

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Count the pixels of a batch; nothing waits for a GPU before :meth:`evaluate`.

        Args:
            data_batch: Not used.
            data_samples: Dicts with ``gt_sem_seg`` and ``pred_sem_seg``, train ids of one shape.
        """
        num_classes = len(self.dataset_meta['classes'])  # type: ignore[index]
        for sample in data_samples:
            prediction = sample['pred_sem_seg']['data']
            target = sample['gt_sem_seg']['data'].to(prediction.device)
            counts = pair_counts(prediction, target, num_classes)
            self.counts = counts if self.counts is None else self.counts + counts

    def compute_metrics(self, results: list) -> dict:
        """Return ``{'iou': {class name: percent or None}, 'accuracy': percent}`` of all counts.

        Args:
            results: Not used.
        """
        assert self.counts is not None and self.dataset_meta is not None
        classes = self.dataset_meta['classes']
        matrix = matrix_of_counts(self.counts, len(classes))
        return dict(iou=dict(zip(classes, iou_per_class(matrix))), accuracy=pixel_accuracy(matrix))

    def evaluate(self, size: int) -> dict:
        """Sum the counts of all processes, and return the metrics in each of them.

        Args:
            size: Not used.

        Returns:
            ``{'seg/iou': {class name: percent or None}, 'seg/accuracy': percent}``.

        Raises:
            ValueError: If a label or a prediction was no class.
        """
        if self.counts is None:  # a process without images
            num_classes = len(self.dataset_meta['classes'])  # type: ignore[index]
            self.counts = torch.zeros(num_classes * (num_classes + 1) + 1, dtype=torch.int64)
        self.counts = self.counts.cpu()
        all_reduce(self.counts)
        metrics = self.compute_metrics([])
        self.counts = None
        return {f'{self.prefix}/{name}': value for name, value in metrics.items()}
