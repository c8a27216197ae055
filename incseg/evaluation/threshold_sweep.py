"""Score pseudo-labels at many background thresholds, as numbers, table and picture."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from terminaltables import AsciiTable
from torch import Tensor

from incseg.constants import VOID
from incseg.evaluation.confusion import iou_per_class
from incseg.evaluation.conventions import mean
from incseg.evaluation.report import number
from incseg.utils.files import whole_file
from incseg.utils.rules import expected

LEVELS = 256


class ThresholdSweep:
    """Confusion matrices at many background thresholds from one pass over the images.

    A pixel takes its best class where the score of that class exceeds the
    threshold, else background.  Pixels are counted by truth, best class and
    8-bit score; the matrix of a threshold is a sum of these counts.

    Args:
        num_classes: classes, background included.
        thresholds: background scores, 0 to 1.

    Raises:
        InvalidInputError: a threshold is out of range, or there is none.
    """

    def __init__(self, num_classes: int, thresholds: Sequence[float]) -> None:
        if not len(thresholds) or not all(0 <= t <= 1 for t in thresholds):
            raise expected('thresholds', list(thresholds), 'one or more numbers from 0 to 1')
        self.thresholds = [float(t) for t in thresholds]
        self.counts = np.zeros((num_classes, num_classes, LEVELS), np.int64)

    def add(self, truth: np.ndarray, best: np.ndarray, score: np.ndarray) -> None:
        """Count the pixels of an image.

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
        """Return the confusion matrix of each threshold.

        Returns:
            int64 ``(T, C, C)``: threshold, truth, prediction.
        """
        above = self.counts[:, :, ::-1].cumsum(2)[:, :, ::-1]  # [q]: scores of q and more
        above = np.concatenate([above, np.zeros_like(above[:, :, :1])], 2)
        # 1e-9: 255 * 0.6 must not become 152.99…
        lowest = [int(255 * threshold + 1e-9) + 1 for threshold in self.thresholds]
        matrices = above[:, :, lowest].transpose(2, 0, 1).copy()
        matrices[:, :, 0] = self.counts.sum((1, 2)) - matrices[:, :, 1:].sum(2)
        return torch.from_numpy(matrices)

    def rows(self) -> list[dict[str, Any]]:
        """Return ``{threshold, iou: [background, …], classes, all}`` per threshold, in percent.

        ``classes`` is the mean IoU without the background, ``all`` with it.
        Classes without ground truth are None in ``iou`` and enter no mean.
        """
        rows = []
        for threshold, matrix in zip(self.thresholds, self.matrices(), strict=True):
            iou = iou_per_class(matrix)
            rows.append(dict(threshold=threshold, iou=iou, classes=mean(iou[1:]), all=mean(iou)))
        return rows


COLOURS = ('#0072b2', '#d55e00')


def best_row(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the row with the highest mIoU over all classes, background included.

    Args:
        rows: as :meth:`ThresholdSweep.rows` returns them, at least one.
    """
    return max(rows, key=lambda row: -1.0 if row['all'] is None else row['all'])


def sweep_table(rows: Sequence[dict[str, Any]], step: float = 0.05, with_new: bool = False) -> str:
    """Return a table of every ``step``-th threshold and of the best one, marked by a star.

    Args:
        rows: as :meth:`ThresholdSweep.rows` returns them.
        step: distance between the printed thresholds.
        with_new: whether to print ``new``, the mean IoU of the step's new
            classes, from the rows.
    """
    best = best_row(rows)
    printed = [row for row in rows if row is best or is_multiple(row['threshold'], step)]
    columns = {
        'background': lambda row: row['iou'][0],
        'classes': lambda row: row['classes'],
        'all (mIoU)': lambda row: row['all'],
    }
    if with_new:
        columns['new classes'] = lambda row: row['new']
    table = [['threshold', *columns]]
    for row in printed:
        mark = '*' if row is best else ''
        table.append(
            [f'{row["threshold"]:.2f}{mark}', *(number(value(row)) for value in columns.values())]
        )
    return str(AsciiTable(table).table)


def is_multiple(value: float, step: float) -> bool:
    """Tell whether a threshold is a multiple of ``step``, up to rounding."""
    return abs(value / step - round(value / step)) < 1e-6


def draw_sweep(
    rows: Sequence[dict[str, Any]], title: str, path: Path, used: float | None = None
) -> bool:
    """Draw mIoU, with and without the background, against the threshold.

    Args:
        rows: as :meth:`ThresholdSweep.rows` returns them.
        title: the title of the plot.
        path: the PNG to write.
        used: the threshold that the written labels were made with.

    Returns:
        Whether it was drawn: False where matplotlib is not installed.

    Raises:
        SaveError: the file cannot be written.
    """
    if find_spec('matplotlib') is None:
        return False
    from matplotlib.figure import Figure

    figure = Figure((6.4, 4.0), layout='constrained')
    axis = figure.subplots()
    thresholds = [row['threshold'] for row in rows]
    for key, label, colour in (
        ('all', 'background included', COLOURS[0]),
        ('classes', 'classes only', COLOURS[1]),
    ):
        values = [float('nan') if row[key] is None else row[key] for row in rows]
        axis.plot(thresholds, values, color=colour, linewidth=1.6, label=label)
    best = best_row(rows)
    if best['all'] is not None:
        axis.plot(
            [best['threshold']],
            [best['all']],
            'o',
            color=COLOURS[0],
            markersize=6,
            label=f'best: {best["all"]:.1f} at {best["threshold"]:.2f}',
        )
    if used is not None:
        axis.axvline(
            used,
            color='#7f7f7f',
            linestyle='--',
            linewidth=1,
            label=f'labels as written: {used:.2f}',
        )
    axis.set_title(title, fontsize=10)
    axis.set_xlabel('background threshold')
    axis.set_ylabel('mIoU, %')
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3, linewidth=0.6)
    axis.spines[['top', 'right']].set_visible(False)
    axis.legend(frameon=False, fontsize=9)
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=150, format='png')
    return True
