"""The plot of a comparison: its curves, styles and legend."""

import sys

import numpy as np
import pytest

from incseg.errors import SaveError
from incseg.evaluation.comparison.plot import (
    JOINT_STYLE,
    PANEL,
    curve_styles,
    draw_curves,
    draw_panel,
    layout,
)
from incseg.evaluation.comparison.runs import find_runs
from incseg.evaluation.comparison.table import ComparisonTable


@pytest.fixture
def table(make_run, tmp_path):
    """Two methods with three and two seeds, joint with one, on one protocol."""
    for seed, c in enumerate((30.0, 33.0, 39.0)):
        make_run('mib', seed, [(80.0, 60.0), (50.0, 40.0, c)])
    for seed in (0, 1):
        make_run('ft', seed, [(80.0, 60.0), (0.0, 0.0, 90.0)])
    make_run('joint', 0, [(70.0, 60.0, 50.0)])
    return ComparisonTable(find_runs([str(tmp_path)])[0])


def test_lines_and_bands(table):
    """What is drawn: means over steps, mean ± deviation as the band, joint as a level line."""
    figure = pytest.importorskip('matplotlib.figure').Figure()
    axis = figure.subplots()
    handles = draw_panel(table, table.protocols[0], axis, curve_styles(table))
    assert list(handles) == ['ft', 'mib', 'joint']
    assert np.allclose(handles['mib'].get_xydata(), [[0, 70.0], [1, 124 / 3]])
    assert np.allclose(handles['joint'].get_xydata(), [[0, 60.0], [1, 60.0]])
    assert handles['joint'].get_linestyle() == '--'
    assert len({handle.get_color() for handle in handles.values()}) == 3
    band = axis.collections[1].get_paths()[0].vertices
    last = band[band[:, 0] == 1][:, 1]
    assert last.max() - last.min() == pytest.approx(2 * (7 / 3) ** 0.5)
    assert axis.get_xlabel() == 'step' and axis.get_title() == 'toy 2-1'


def test_a_row_looks_the_same_in_every_panel(make_run, tmp_path):
    """If it fails, the legend shows one panel's joint in black, and another panel's in orange."""
    figure = pytest.importorskip('matplotlib.figure').Figure()
    steps = [(80.0, 60.0), (50.0, 40.0, 30.0)]
    for name in ('2-1', '1-1'):
        make_run('joint', 0, [(70.0, 60.0, 50.0)], name=name)
    make_run('joint_s', 0, [(60.0, 60.0, 50.0)], name='1-1')
    make_run('ft', 0, steps)
    make_run('mib', 0, steps, name='1-1')
    table = ComparisonTable(find_runs([str(tmp_path)])[0])
    panels = [
        draw_panel(table, key, axis, curve_styles(table))
        for key, axis in zip(table.protocols, figure.subplots(1, 2))
    ]
    looks = [
        {
            row: (line.get_color(), line.get_marker(), line.get_linestyle())
            for row, line in panel.items()
        }
        for panel in panels
    ]
    assert looks[0]['joint'] == looks[1]['joint'] == ('black', 'x', '--')
    other = (looks[0] | looks[1])['joint_s']
    assert other[0] != 'black' and other[2] == '--'
    assert len({*looks[0].values(), *looks[1].values()}) == 4


def test_the_legend_of_many_rows_stands_below():
    """Few rows: a column at the right.  Many: columns below, as many as there is room for.

    With 14 letters a column is 1 + 14 * 0.09 = 2.26 inches: 4 beside each other below panels of
    9.2 inches, so that 40 rows take 10 lines of 0.21.  If it fails, they run out of the picture.
    """
    row = 'x' * 14
    size, place = layout([row] * 12, 9.2, 3.6)
    assert size == pytest.approx((9.2 + 2.26, 3.6)) and place['ncols'] == 1
    size, place = layout([row] * 40, 9.2, 3.6)
    assert size == pytest.approx((9.2, 3.6 + 0.3 + 2.1))
    assert place == {'loc': 'outside lower center', 'ncols': 4}
    size, place = layout([row * 2] * 40, 4.6, 3.6)
    assert size[0] == pytest.approx(2 * 3.52) and place['ncols'] == 2


def test_rows_without_a_curve_are_not_in_the_legend(make_run, tmp_path):
    """A row whose means do not exist has no line; the picture is drawn without it."""
    pytest.importorskip('matplotlib')
    make_run('ft', 0, [(80.0, 60.0), (50.0, 40.0, 30.0)])
    make_run('mib', 0, [(None, None), (50.0, 40.0, 30.0)])
    table = ComparisonTable(find_runs([str(tmp_path)])[0])
    assert table.rows == ['ft', 'mib'] and list(curve_styles(table)) == ['ft']
    assert draw_curves(table, tmp_path / 'x.png')


def test_picture(table, tmp_path):
    """A PNG is there, and no temporary file beside it."""
    pytest.importorskip('matplotlib')
    assert draw_curves(table, tmp_path / 'out' / 'x.png')
    assert (tmp_path / 'out/x.png').read_bytes().startswith(b'\x89PNG')
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['x.png']
    (tmp_path / 'file').touch()
    with pytest.raises(SaveError, match='cannot write .*file/x.png'):
        draw_curves(table, tmp_path / 'file' / 'x.png')


def test_without_matplotlib(table, tmp_path, monkeypatch):
    """matplotlib is optional: without it there is no plot, and no traceback."""
    monkeypatch.setitem(sys.modules, 'matplotlib', None)
    assert not draw_curves(table, tmp_path / 'x.png')
    assert not (tmp_path / 'x.png').exists()


STEPS = [(80.0, 60.0), (50.0, 40.0, 30.0)]


def look(style):
    return style['color'], style['marker'], style['linestyle']


def test_forty_rows_look_different(make_run, tmp_path):
    """If it fails, row 13 is drawn as row 1 is, and the legend cannot be read back."""
    for i in range(38):
        make_run(f'method{i:02}', 0, STEPS)
    for method in ('joint', 'joint_s'):
        make_run(method, 0, [(70.0, 60.0, 50.0)])
    styles = curve_styles(ComparisonTable(find_runs([str(tmp_path)])[0]))
    assert len(styles) == 40 and len({*map(look, styles.values())}) == 40
    assert len({(style['color'], style['marker']) for style in styles.values()}) == 40
    assert styles['joint'] == JOINT_STYLE and styles['joint_s']['linestyle'] == '--'
    assert all(
        style['linestyle'] != '--' for row, style in styles.items() if row.startswith('method')
    )


def test_rows_without_a_curve_take_no_style(make_run, tmp_path):
    """A row that is not drawn leaves its colour to the next one."""
    make_run('ft', 0, [(None, None), (50.0, 40.0, 30.0)])
    make_run('mib', 0, STEPS)
    styles = curve_styles(ComparisonTable(find_runs([str(tmp_path)])[0]))
    assert list(styles) == ['mib'] and styles['mib']['color'] == '#0072b2'


def test_joint_changes_no_other_style(make_run, tmp_path):
    """If it fails, the same methods look different in two pictures, with joint and without."""
    for method in ('ft', 'mib'):
        make_run(method, 0, STEPS)
    before = curve_styles(ComparisonTable(find_runs([str(tmp_path)])[0]))
    make_run('joint', 0, [(70.0, 60.0, 50.0)])
    assert curve_styles(ComparisonTable(find_runs([str(tmp_path)])[0])) == {
        **before,
        'joint': JOINT_STYLE,
    }


def test_axes_of_a_panel(table):
    """If it fails, steps are 0.5 apart, or a curve seems low because the axis starts high."""
    figure = pytest.importorskip('matplotlib.figure').Figure()
    axis = figure.subplots()
    draw_panel(table, table.protocols[0], axis, curve_styles(table))
    figure.canvas.draw()
    assert axis.get_ylim()[0] == 0
    assert all(tick == int(tick) for tick in axis.get_xticks())
    assert not axis.spines['top'].get_visible() and axis.spines['left'].get_visible()
    assert any(line.get_visible() for line in axis.get_xgridlines())


def test_a_level_line_spans_the_longest_protocol(make_run, tmp_path):
    """If it fails, joint training is a point where the other rows are curves."""
    make_run('mib', 0, [(80.0, 60.0), (50.0, 40.0, 30.0)])
    make_run('joint', 0, [(70.0, 60.0, 50.0)])
    table = ComparisonTable(find_runs([str(tmp_path)])[0])
    figure = pytest.importorskip('matplotlib.figure').Figure()
    handles = draw_panel(table, table.protocols[0], figure.subplots(), curve_styles(table))
    assert list(handles['joint'].get_xdata()) == [0, 1]


def test_no_picture_is_false_and_nothing_else(table, tmp_path, monkeypatch):
    """If it fails, a caller cannot tell a missing package from a missing answer."""
    from incseg.evaluation.comparison import plot

    monkeypatch.setattr(plot, 'find_spec', lambda name: None)
    assert draw_curves(table, tmp_path / 'none.png') is False


@pytest.mark.parametrize(
    ('panels', 'columns', 'lines'), [(1, 1, 1), (3, 3, 1), (4, 2, 2), (5, 3, 2)]
)
def test_panels_in_rows(make_run, tmp_path, monkeypatch, panels, columns, lines):
    """If it fails, panels are squeezed, or every one repeats the label of the axis."""
    figures = []
    figure_class = pytest.importorskip('matplotlib.figure').Figure

    def keep(figure, path, **_):
        figures.append(figure)
        path.touch()

    monkeypatch.setattr(figure_class, 'savefig', keep)
    for i in range(panels):
        make_run('mib', 0, [(80.0, 60.0), (50.0, 40.0, 30.0)], name=f'2-{i}')
    assert draw_curves(ComparisonTable(find_runs([str(tmp_path)])[0]), tmp_path / 'x.png') is True
    [figure] = figures
    labelled = [i for i, axis in enumerate(figure.axes) if axis.get_ylabel()]
    assert len(figure.axes) == panels and labelled == list(range(0, panels, columns))
    size, _ = layout(['mib'], PANEL[0] * columns, PANEL[1] * lines)
    assert figure.get_size_inches() == pytest.approx(size)
