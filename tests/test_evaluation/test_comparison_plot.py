import sys

import numpy as np
import pytest

from incseg.errors import SaveError
from incseg.evaluation.comparison_plot import draw_curves, draw_panel
from incseg.evaluation.comparison_table import ComparisonTable
from incseg.evaluation.find_runs import find_runs


@pytest.fixture
def table(make_run, tmp_path):
    """Two methods with three and two seeds, joint with one, on one protocol."""
    for seed, c in enumerate((30., 33., 39.)):
        make_run('mib', seed, [(80., 60.), (50., 40., c)])
    for seed in (0, 1):
        make_run('ft', seed, [(80., 60.), (0., 0., 90.)])
    make_run('joint', 0, [(70., 60., 50.)])
    return ComparisonTable(find_runs([str(tmp_path)])[0])


def test_lines_and_bands(table):
    """What is drawn: means over steps, mean ± deviation as the band, joint as a level line."""
    figure = pytest.importorskip('matplotlib.figure').Figure()
    axis = figure.subplots()
    handles = draw_panel(table, table.protocols[0], axis)
    assert list(handles) == ['ft', 'mib', 'joint']
    assert np.allclose(handles['mib'].get_xydata(), [[0, 70.], [1, 124 / 3]])
    assert np.allclose(handles['joint'].get_xydata(), [[0, 60.], [1, 60.]])
    assert handles['joint'].get_linestyle() == '--'
    assert len({handle.get_color() for handle in handles.values()}) == 3
    band = axis.collections[1].get_paths()[0].vertices
    last = band[band[:, 0] == 1][:, 1]
    assert last.max() - last.min() == pytest.approx(2 * (7 / 3)**.5)
    assert axis.get_xlabel() == 'step' and axis.get_title() == 'toy 2-1'


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
