"""mIoU over the steps, one line a method, one panel a protocol."""
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

from incseg.atomic_file import whole_file
from incseg.evaluation.comparison_table import ComparisonTable
from incseg.evaluation.run_result import ProtocolKey

#: colours that colour-blind readers keep apart; the markers do it again
COLOURS = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#882255', '#117733',
           '#8c564b', '#7f7f7f', '#332288', '#b5a800')
MARKERS = 'osD^vPX<>*hp'
PANEL, MOST_COLUMNS, DPI = (4.6, 3.6), 3, 150


def draw_curves(table: ComparisonTable, path: Path) -> bool:
    """Draw every row's ``all`` mIoU over the steps, the spread over seeds as a band.

    A row with a single value where the protocol has several steps, such as
    joint training, is a level line.

    Args:
        table: The table that the picture goes with.
        path: The PNG to write.

    Returns:
        Whether it was drawn: False where matplotlib is not installed.

    Raises:
        SaveError: If the file cannot be written.
    """
    if find_spec('matplotlib') is None:
        return False
    from matplotlib.figure import Figure

    lines = -(-len(table.protocols) // MOST_COLUMNS)
    columns = -(-len(table.protocols) // lines)  # four panels: two by two
    legend = 0.8 + 0.09 * max(map(len, table.rows)), 0.4 + 0.21 * len(table.rows)
    figure = Figure((PANEL[0] * columns + legend[0], max(PANEL[1] * lines, legend[1])),
                    layout='constrained')
    axes = list(chain.from_iterable(figure.subplots(lines, columns, squeeze=False)))
    handles: dict[str, Any] = {}
    for i, (axis, key) in enumerate(zip(axes, table.protocols)):
        handles.update(draw_panel(table, key, axis))
        if i % columns == 0:
            axis.set_ylabel(f'mIoU of all seen classes ({table.convention}), %')
    for axis in axes[len(table.protocols):]:
        axis.remove()
    rows = [row for row in table.rows if row in handles]
    figure.legend(
        [handles[row] for row in rows], rows, loc='outside right upper', frameon=False)
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=DPI, format='png')
    return True


def draw_panel(table: ComparisonTable, key: ProtocolKey, axis: Any) -> dict[str, Any]:
    """One protocol's panel; returns the legend's handle of each row in it."""
    from matplotlib.ticker import MaxNLocator

    steps = max(len(run.content['protocol']['steps']) for (_, other), runs in table.cells.items()
                if other == key for run in runs)
    handles: dict[str, Any] = {}
    for i, row in enumerate(table.rows):
        curve = table.curve(row, key)
        if not curve or any(point.mean is None for point in curve):
            continue
        style: dict[str, Any] = dict(
            color=COLOURS[i % len(COLOURS)], marker=MARKERS[i % len(MARKERS)], markersize=5,
            clip_on=False)
        if len(curve) == 1 and steps > 1:
            first = all(handle.get_linestyle() != '--' for handle in handles.values())
            style = dict(color='black' if first else style['color'], linestyle='--')
            curve = curve * steps
        mean = [point.mean or 0. for point in curve]
        spread = [point.std or 0. for point in curve]
        [handles[row]] = axis.plot(range(len(curve)), mean, linewidth=1.6, **style)
        axis.fill_between(
            range(len(curve)), [m - s for m, s in zip(mean, spread)],
            [m + s for m, s in zip(mean, spread)], color=style['color'], alpha=.15, linewidth=0)
    axis.set_title(table.label(key))
    axis.set_xlabel('step')
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axis.set_ylim(bottom=0)
    axis.grid(alpha=.3, linewidth=.6)
    axis.spines[['top', 'right']].set_visible(False)
    return handles
