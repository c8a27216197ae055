from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from incseg.errors import InvalidInputError
from incseg.evaluation.confusion import iou_per_class
from incseg.evaluation.conventions import mean

LEVELS = 256
VOID = 255


class ThresholdSweep:
    """Confusion matrices at many background thresholds from one pass over the images.

    A pixel is its best class where that class's score is above the threshold,
    else background.  So the pixels are counted by truth, best class and 8-bit
    score; every threshold's matrix is a sum of these counts.

    Args:
        num_classes: classes, background included.
        thresholds: background scores, 0 to 1.

    Raises:
        InvalidInputError: a threshold is out of range, or there is none.
    """

    def __init__(self, num_classes: int, thresholds: Sequence[float]) -> None:
        if not len(thresholds) or not all(0 <= t <= 1 for t in thresholds):
            raise InvalidInputError(
                f'thresholds are {list(thresholds)}; allowed are one or more scores of 0 to 1')
        self.thresholds = [float(t) for t in thresholds]
        self.counts = np.zeros((num_classes, num_classes, LEVELS), np.int64)

    def add(self, truth: np.ndarray, best: np.ndarray, score: np.ndarray) -> None:
        """Count an image.

        Args:
            truth: uint8 ``(H, W)``: 0 background, 1.. the classes, 255 is left out.
            best: uint8 ``(H, W)``: the class of the best score, 0 where there is none.
            score: uint8 ``(H, W)``: 255 times that score.
        """
        known = truth != VOID
        num_classes = len(self.counts)
        cell = (truth[known].astype(np.int64) * num_classes + best[known]) * LEVELS + score[known]
        self.counts += np.bincount(cell, minlength=self.counts.size).reshape(self.counts.shape)

    def matrices(self) -> Tensor:
        """int64 ``(T, C, C)``: threshold, truth, prediction."""
        above = self.counts[:, :, ::-1].cumsum(2)[:, :, ::-1]  # [q]: scores of q and more
        above = np.concatenate([above, np.zeros_like(above[:, :, :1])], 2)
        # 1e-9: 255 * 0.6 must not become 152.99…
        lowest = [int(255 * threshold + 1e-9) + 1 for threshold in self.thresholds]
        matrices = above[:, :, lowest].transpose(2, 0, 1).copy()
        matrices[:, :, 0] = self.counts.sum((1, 2)) - matrices[:, :, 1:].sum(2)
        return torch.from_numpy(matrices)

    def rows(self) -> list[dict[str, Any]]:
        """For each threshold ``{threshold, iou: [background, …], classes, all}``, in percent.

        ``classes`` is the mean IoU without the background, ``all`` with it;
        classes without ground truth are None and in no mean.
        """
        rows = []
        for threshold, matrix in zip(self.thresholds, self.matrices(), strict=True):
            iou = iou_per_class(matrix)
            rows.append(dict(
                threshold=threshold, iou=iou, classes=mean(iou[1:]), all=mean(iou)))
        return rows
