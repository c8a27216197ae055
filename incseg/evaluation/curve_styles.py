"""Colour, marker and line of every row, the same in all panels of a picture."""
from typing import Any

from incseg.evaluation.comparison_table import ComparisonTable
from incseg.evaluation.run_result import ProtocolKey

#: colours that colour-blind readers keep apart; the markers do it again
COLOURS = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#882255', '#117733',
           '#8c564b', '#7f7f7f', '#332288', '#b5a800')
MARKERS = 'osD^vPX<>*hp'
#: one for each round through the colours
LINES = ('-', ':', '-.', (0, (6, 1, 1, 1, 1, 1)))
#: of level lines: methods that learn all classes in one step
LEVEL = '--'
#: the row whose style is the same in every picture
JOINT = 'joint'
JOINT_STYLE = {'color': 'black', 'marker': 'x', 'linestyle': LEVEL}


def curve_styles(table: ComparisonTable) -> dict[str, dict[str, Any]]:
    """Matplotlib's ``color``, ``marker`` and ``linestyle`` of every row that has a curve.

    No two of 144 rows have the same colour and marker.  Each round through
    the 12 colours pairs them with other markers and draws another line.

    Args:
        table: The table that the picture goes with.

    Returns:
        Row title -> style, in the order of the table's rows.
    """
    drawn = [row for row in table.rows
             if any(is_drawn(table, row, key) for key in table.protocols)]
    styles: dict[str, dict[str, Any]] = {}
    for i, row in enumerate(row for row in drawn if row != JOINT):
        turn, place = divmod(i, len(COLOURS))
        level = any(is_level(table, row, key) for key in table.protocols)
        styles[row] = {'color': COLOURS[place], 'marker': MARKERS[(place + turn) % len(MARKERS)],
                       'linestyle': LEVEL if level else LINES[turn % len(LINES)]}
    styles[JOINT] = JOINT_STYLE
    return {row: styles[row] for row in drawn}


def is_drawn(table: ComparisonTable, row: str, key: ProtocolKey) -> bool:
    """Whether the row has a value after every step of its runs of a protocol."""
    curve = table.curve(row, key)
    return bool(curve) and all(point.mean is not None for point in curve)


def is_level(table: ComparisonTable, row: str, key: ProtocolKey) -> bool:
    """Whether the row has a single value where the protocol has several steps."""
    return is_drawn(table, row, key) and len(table.curve(row, key)) == 1 < num_steps(table, key)


def num_steps(table: ComparisonTable, key: ProtocolKey) -> int:
    """How many steps a protocol of the table has."""
    return max(len(run.content['protocol']['steps'])
               for (_, other), runs in table.cells.items() if other == key for run in runs)
