from incseg.evaluation.comparison.plot import JOINT_STYLE, curve_styles
from incseg.evaluation.comparison.runs import find_runs
from incseg.evaluation.comparison.table import ComparisonTable

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
