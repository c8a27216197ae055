"""A sweep of the background threshold as a table and as a picture."""
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from terminaltables import AsciiTable

from incseg.atomic_file import whole_file
from incseg.evaluation.report import number

COLOURS = ('#0072b2', '#d55e00')


def best_row(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The row with the highest mIoU over all classes, the background included."""
    return max(rows, key=lambda row: -1. if row['all'] is None else row['all'])


def sweep_table(
    rows: Sequence[dict[str, Any]], step: float = .05, with_new: bool = False
) -> str:
    """Every ``step`` of the threshold and the best one, which has a star.

    Args:
        rows: as :meth:`ThresholdSweep.rows` returns them.
        step: distance of the rows that are printed.
        with_new: whether rows have ``new``, the mean over a step's new classes,
            which gets a column.
    """
    best = best_row(rows)
    shown = [row for row in rows if row is best or is_multiple(row['threshold'], step)]
    columns = {'background': lambda row: row['iou'][0], 'classes': lambda row: row['classes'],
               'all (mIoU)': lambda row: row['all']}
    if with_new:
        columns['new classes'] = lambda row: row['new']
    table = [['threshold', *columns]]
    for row in shown:
        mark = '*' if row is best else ''
        table.append([f'{row["threshold"]:.2f}{mark}',
                      *(number(value(row)) for value in columns.values())])
    return str(AsciiTable(table).table)


def is_multiple(value: float, step: float) -> bool:
    """Whether a threshold lies on the grid of the printed rows."""
    return abs(value / step - round(value / step)) < 1e-6


def draw_sweep(
    rows: Sequence[dict[str, Any]], title: str, path: Path, used: float | None = None
) -> bool:
    """Draw mIoU, with and without the background, against the threshold.

    Args:
        rows: as :meth:`ThresholdSweep.rows` returns them.
        title: the set, its size and the stage.
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

    figure = Figure((6.4, 4.), layout='constrained')
    axis = figure.subplots()
    thresholds = [row['threshold'] for row in rows]
    for key, label, colour in (('all', 'background included', COLOURS[0]),
                               ('classes', 'classes only', COLOURS[1])):
        values = [float('nan') if row[key] is None else row[key] for row in rows]
        axis.plot(thresholds, values, color=colour, linewidth=1.6, label=label)
    best = best_row(rows)
    if best['all'] is not None:
        axis.plot([best['threshold']], [best['all']], 'o', color=COLOURS[0], markersize=6,
                  label=f'best: {best["all"]:.1f} at {best["threshold"]:.2f}')
    if used is not None:
        axis.axvline(used, color='#7f7f7f', linestyle='--', linewidth=1,
                     label=f'labels as written: {used:.2f}')
    axis.set_title(title, fontsize=10)
    axis.set_xlabel('background threshold')
    axis.set_ylabel('mIoU, %')
    axis.set_ylim(bottom=0)
    axis.grid(alpha=.3, linewidth=.6)
    axis.spines[['top', 'right']].set_visible(False)
    axis.legend(frameon=False, fontsize=9)
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=150, format='png')
    return True
