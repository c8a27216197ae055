"""Plot mIoU over the steps: one line per method, one panel per protocol."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

from incseg.evaluation.comparison.runs import ProtocolKey
from incseg.evaluation.comparison.table import ComparisonTable
from incseg.utils.files import whole_file

PANEL, MOST_COLUMNS, DPI = (4.6, 3.6), 3, 150
#: up to this many rows the legend is one column at the right, with more it goes below
MOST_AT_THE_RIGHT = 12
#: sizes of the legend in inches: height of a line, width of a sample line, width of a letter
LINE, SAMPLE, LETTER = 0.21, 1.0, 0.09


def draw_curves(table: ComparisonTable, path: Path) -> bool:
    """Draw the ``all`` mIoU of every row over the steps, with a band for the spread over seeds.

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
    styles = curve_styles(table)
    size, place = layout(list(styles), PANEL[0] * columns, PANEL[1] * lines)
    figure = Figure(size, layout='constrained')
    axes = list(chain.from_iterable(figure.subplots(lines, columns, squeeze=False)))
    handles: dict[str, Any] = {}
    for i, (axis, key) in enumerate(zip(axes, table.protocols)):
        handles.update(draw_panel(table, key, axis, styles))
        if i % columns == 0:
            axis.set_ylabel(f'mIoU of all seen classes ({table.convention}), %')
    for axis in axes[len(table.protocols) :]:
        axis.remove()
    figure.legend(
        [handles[row] for row in styles], list(styles), handlelength=3.5, frameon=False, **place
    )
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=DPI, format='png')
    return True


def layout(
    rows: Sequence[str], width: float, height: float
) -> tuple[tuple[float, float], dict[str, Any]]:
    """Return the size of the picture and the place of the legend.

    Args:
        rows: The legend's texts.
        width: Width of all panels together, in inches.
        height: Their height, in inches.

    Returns:
        Width and height of the picture in inches, and ``loc`` and ``ncols`` of
        :meth:`matplotlib.figure.Figure.legend`.
    """
    column = SAMPLE + LETTER * max(map(len, rows), default=0)
    if len(rows) <= MOST_AT_THE_RIGHT:
        return (
            (width + column, max(height, 0.4 + LINE * len(rows))),
            {'loc': 'outside right upper', 'ncols': 1},
        )
    columns = max(2, int(width / column))
    lines = -(-len(rows) // columns)
    return (
        (max(width, columns * column), height + 0.3 + LINE * lines),
        {'loc': 'outside lower center', 'ncols': columns},
    )


def draw_panel(
    table: ComparisonTable, key: ProtocolKey, axis: Any, styles: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    """Draw the panel of one protocol.

    Args:
        table: The table that the picture goes with.
        key: The protocol.
        axis: The panel's :class:`matplotlib.axes.Axes`; it is changed.
        styles: Style of each row, see :func:`curve_styles`.

    Returns:
        The legend's handle of each row that is drawn.
    """
    from matplotlib.ticker import MaxNLocator

    steps = num_steps(table, key)
    handles: dict[str, Any] = {}
    for row, style in styles.items():
        if not is_drawn(table, row, key):
            continue
        curve = table.curve(row, key)
        if len(curve) == 1:
            curve = curve * steps
        mean = [point.mean or 0.0 for point in curve]
        spread = [point.std or 0.0 for point in curve]
        [handles[row]] = axis.plot(
            range(len(curve)), mean, linewidth=1.6, markersize=5, clip_on=False, **style
        )
        axis.fill_between(
            range(len(curve)),
            [m - s for m, s in zip(mean, spread)],
            [m + s for m, s in zip(mean, spread)],
            color=style['color'],
            alpha=0.15,
            linewidth=0,
        )
    axis.set_title(table.label(key))
    axis.set_xlabel('step')
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3, linewidth=0.6)
    axis.spines[['top', 'right']].set_visible(False)
    return handles


#: colours that colour-blind readers can tell apart; the markers help
COLOURS = (
    '#0072b2',
    '#d55e00',
    '#009e73',
    '#cc79a7',
    '#e69f00',
    '#56b4e9',
    '#882255',
    '#117733',
    '#8c564b',
    '#7f7f7f',
    '#332288',
    '#b5a800',
)
MARKERS = 'osD^vPX<>*hp'
#: one for each round through the colours
LINES = ('-', ':', '-.', (0, (6, 1, 1, 1, 1, 1)))
#: the line style of methods that learn all classes in one step
LEVEL = '--'
#: the row whose style is the same in every picture
JOINT = 'joint'
JOINT_STYLE = {'color': 'black', 'marker': 'x', 'linestyle': LEVEL}


def curve_styles(table: ComparisonTable) -> dict[str, dict[str, Any]]:
    """Choose ``color``, ``marker`` and ``linestyle`` of every row that has a curve.

    No two of 144 rows have the same colour and marker.  After every 12 rows the colours
    repeat, with other markers and another line.

    Args:
        table: The table that the picture goes with.

    Returns:
        Style by row title, in the order of the table's rows.
    """
    drawn = [row for row in table.rows if any(is_drawn(table, row, key) for key in table.protocols)]
    styles: dict[str, dict[str, Any]] = {}
    for i, row in enumerate(row for row in drawn if row != JOINT):
        turn, place = divmod(i, len(COLOURS))
        level = any(is_level(table, row, key) for key in table.protocols)
        styles[row] = {
            'color': COLOURS[place],
            'marker': MARKERS[(place + turn) % len(MARKERS)],
            'linestyle': LEVEL if level else LINES[turn % len(LINES)],
        }
    styles[JOINT] = JOINT_STYLE
    return {row: styles[row] for row in drawn}


def is_drawn(table: ComparisonTable, row: str, key: ProtocolKey) -> bool:
    """Tell whether the row has a value after every step of a protocol."""
    curve = table.curve(row, key)
    return bool(curve) and all(point.mean is not None for point in curve)


def is_level(table: ComparisonTable, row: str, key: ProtocolKey) -> bool:
    """Tell whether the row has one value, as joint training, where the protocol has more steps."""
    return is_drawn(table, row, key) and len(table.curve(row, key)) == 1 < num_steps(table, key)


def num_steps(table: ComparisonTable, key: ProtocolKey) -> int:
    """Return the number of steps of a protocol of the table."""
    return max(
        len(run.content['protocol']['steps'])
        for (_, other), runs in table.cells.items()
        if other == key
        for run in runs
    )
