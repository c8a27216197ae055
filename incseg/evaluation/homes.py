"""Scores on the test images of several sources: each class is read from its own."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.evaluator import BaseMetric
from torch import Tensor

from incseg.evaluation.confusion import iou_per_class, matrix_of_counts, pair_counts
from incseg.registry import METRICS


@METRICS.register_module()
class HomeMetric(BaseMetric):
    """One confusion matrix for the test images of each source, exact under several processes.

    A class is read from its *home*, the test images of the step that taught it: there every pixel
    is known to be it or not, so its IoU is exact.  The background is read from that of step 0.
    Background pixels that are predicted as a class which their source does not annotate may be
    right; they are left out of the background's IoU and of the accuracy.

    Args:
        annotates: For each source, names of the classes that its labels show wherever they occur.
        homes: For each class, the background too, the number of its source; a class without one
            has no score.
    """

    default_prefix = 'seg'

    def __init__(self, annotates: Sequence[Sequence[str]], homes: Mapping[str, int]) -> None:
        super().__init__(collect_device='cpu')
        self.annotates = [set(names) for names in annotates]
        self.homes = dict(homes)
        self.counts: dict[int, Tensor] = {}

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Count the pixels of a batch; nothing waits for a GPU before :meth:`evaluate`.

        Args:
            data_batch: Not used.
            data_samples: Dicts with ``gt_sem_seg`` and ``pred_sem_seg``, train ids of one shape,
                and ``test_part``, the number of the source, 0 where it is missing.
        """
        num_classes = len(self.dataset_meta['classes'])  # type: ignore[index]
        for sample in data_samples:
            prediction, part = sample['pred_sem_seg']['data'], sample.get('test_part', 0)
            target = sample['gt_sem_seg']['data'].to(prediction.device)
            counts = pair_counts(prediction, target, num_classes)
            self.counts[part] = counts + self.counts[part] if part in self.counts else counts

    def compute_metrics(self, results: list) -> dict:
        """Return the scores of all counts, see :func:`home_scores`.

        Args:
            results: One confusion matrix per source.
        """
        classes = list(self.dataset_meta['classes'])  # type: ignore[index]
        return home_scores(results, classes, self.annotates, self.homes)

    def evaluate(self, size: int) -> dict:
        """Sum the counts of all processes, and return the metrics in each of them.

        Args:
            size: Not used.

        Returns:
            ``{'seg/iou', 'seg/accuracy', 'seg/elsewhere'}``.

        Raises:
            ValueError: If a label or a prediction was no class.
        """
        num_classes = len(self.dataset_meta['classes'])  # type: ignore[index]
        cells = num_classes * (num_classes + 1) + 1
        none = torch.zeros(cells, dtype=torch.int64)
        parts = range(len(self.annotates))
        counts = torch.stack([self.counts.get(part, none).cpu() for part in parts])
        all_reduce(counts)
        matrices = [matrix_of_counts(each, num_classes) for each in counts]
        self.counts = {}
        metrics = self.compute_metrics(matrices)
        return {f'{self.prefix}/{name}': value for name, value in metrics.items()}


def home_scores(
    matrices: Sequence[Tensor],
    classes: Sequence[str],
    annotates: Sequence[set[str]],
    homes: Mapping[str, int],
) -> dict[str, Any]:
    """Return the scores of classes that are tested on several sources.

    Args:
        matrices: The confusion matrix ``(C, C)`` of each source: row = truth, column = prediction.
        classes: Names of the C classes, background first.
        annotates: For each source, names of the classes that its labels show wherever they occur.
        homes: For each class the number of its source; a class without one has no score.

    Returns:
        ``iou``: percent of each class, None without home or ground truth; ``accuracy``: percent of
        the pixels of all sources; ``elsewhere``: for each class but the background, percent of
        the pixels of sources that do not annotate it which are predicted as it, None where every
        source annotates it.
    """
    known = []
    for matrix, names in zip(matrices, annotates, strict=True):
        certain = matrix.clone()
        for i, name in enumerate(classes):
            if i and name not in names:
                certain[0, i] = 0  # it may be there: nobody labelled it
        known.append(certain)
    iou: dict[str, float | None] = {}
    for i, name in enumerate(classes):
        part = homes.get(name)
        of_class = known if i == 0 else matrices
        iou[name] = None if part is None else iou_per_class(of_class[part])[i]
    total = sum(int(matrix.sum()) for matrix in known)
    right = sum(int(matrix.diag().sum()) for matrix in known)
    elsewhere: dict[str, float | None] = {}
    for i, name in enumerate(classes[1:], 1):
        others = [m for m, names in zip(matrices, annotates, strict=True) if name not in names]
        pixels = sum(int(matrix.sum()) for matrix in others)
        found = sum(int(matrix[:, i].sum()) for matrix in others)
        elsewhere[name] = 100 * found / pixels if pixels else None
    accuracy = 100 * right / total if total else None
    return dict(iou=iou, accuracy=accuracy, elsewhere=elsewhere)
