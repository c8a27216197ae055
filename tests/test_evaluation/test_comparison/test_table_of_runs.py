"""The table of a comparison: cells, notes, files."""

import csv
import io
import re
import sys
from pathlib import Path

import pytest

from incseg.errors import InvalidInputError
from incseg.evaluation.comparison.compare import compare
from incseg.evaluation.comparison.runs import find_runs
from incseg.evaluation.comparison.table import ComparisonTable, Spread
from tests.conftest import edit_json

STEPS = [(80.0, 60.0), (50.0, 40.0, 30.0)]


@pytest.fixture
def compared(make_run, tmp_path):
    """The table of everything made in the test's folder."""

    def table(convention='mib'):
        runs, without = find_runs([str(tmp_path)])
        return ComparisonTable(runs, convention, without)

    return table


def cells(text):
    return [
        [cell.strip() for cell in line.strip('|').split('|')]
        for line in text.splitlines()
        if line.startswith('| ')
    ]


def test_spread():
    """Worked: 40, 43, 49 have mean 44 and sample deviation sqrt(42 / 2), not sqrt(42 / 3)."""
    spread = Spread.of([40.0, 43.0, 49.0])
    assert spread == Spread(44.0, pytest.approx(21**0.5), 3) and str(spread) == '44.0 ± 4.6'
    assert Spread.of([40.0]) == Spread(40.0, None, 1) and str(Spread.of([40.0])) == '40.0'
    assert Spread.of([None, 40.0]).n == 1
    assert Spread.of([]) == Spread(None, None, 0) and str(Spread.of([])) == '-'


def test_worked_table(make_run, compared):
    """Rows, columns, means, spreads and numbers of seeds, as they are printed."""
    for seed, c in enumerate((30.0, 33.0, 39.0)):
        make_run('mib', seed, [(80.0, 60.0), (50.0, 40.0, c)])
    make_run('joint', 0, [(70.0, 60.0, 50.0)])
    make_run('ft', 0, [(80.0, 60.0), (0.0, 0.0, 90.0)])
    make_run('ft', 0, STEPS, name='1-1', dataset='other')
    table = compared()
    assert cells(table.text()) == [
        ['method', 'other 1-1', '', '', '', 'toy 2-1', '', '', ''],
        ['', 'base', 'added', 'all', 'seeds', 'base', 'added', 'all', 'seeds'],
        ['ft', '45.0', '30.0', '40.0', '1', '0.0', '90.0', '30.0', '1'],
        ['mib', '-', '-', '-', '-', '45.0 ± 0.0', '34.0 ± 4.6', '41.3 ± 1.5', '3'],
        ['joint', '-', '-', '-', '-', '65.0', '50.0', '60.0', '1'],
    ]
    assert 'overlap: mIoU after the last step (convention mib), %, mean ± sample' in table.text()
    head, *body = cells(table.markdown())
    assert head[4:8] == ['other 1-1 seeds', 'toy 2-1 base', 'toy 2-1 added', 'toy 2-1 all']
    assert body[1][5:] == ['45.0 ± 0.0', '34.0 ± 4.6', '41.3 ± 1.5', '3']


def test_csv(make_run, compared):
    """Full floats for those who compute further; no spread of one seed, not 0."""
    for seed, c in enumerate((30.0, 33.0, 39.0)):
        make_run('mib', seed, [(80.0, 60.0), (50.0, 40.0, c)])
    make_run('joint', 7, [(70.0, 60.0, 50.0)])
    mib, joint = csv.DictReader(io.StringIO(compared().csv()))
    assert (mib['method'], mib['dataset'], mib['protocol'], mib['setting'], mib['seeds']) == (
        'mib',
        'toy',
        '2-1',
        'overlap',
        '0 1 2',
    )
    assert float(mib['added_std']) == pytest.approx(21**0.5, rel=1e-15)
    assert float(mib['all_mean']) == pytest.approx(124 / 3, rel=1e-15) and mib['all_n'] == '3'
    assert joint['added_std'] == '' and joint['added_mean'] == '50.0' and joint['added_n'] == '1'


@pytest.mark.parametrize(
    ('convention', 'row'),
    [
        ('mib', ['45.0', '30.0', '40.0']),
        ('plop', ['60.0', '30.0', '52.5']),
        ('wilson', ['45.0', '30.0', '52.5']),
    ],
)
def test_conventions(make_run, compared, convention, row):
    """The background (90) counts where the convention says, and the title says which it is."""
    make_run('mib', 0, STEPS)
    text = compared(convention).text()
    assert cells(text)[-1] == ['mib', *row, '1'] and f'convention {convention}' in text


def test_partial_runs_are_named_and_left_out(make_run, compared, tmp_path):
    """Step 0's 70 averaged with the last step's 40 would be a number of nothing."""
    make_run('mib', 0, STEPS)
    make_run('mib', 1, STEPS[:1])
    (tmp_path / 'begun/step_0').mkdir(parents=True)
    (tmp_path / 'begun/config.json').write_text('{}')
    table = compared()
    assert cells(table.text())[-1] == ['mib', '45.0', '30.0', '40.0', '1']
    for text in (table.text(), table.markdown()):
        assert 'mib_toy_2-1_overlap_1/results.json (1 of 2 steps)' in text
        assert 'begun (no step finished)' in text


def test_only_partial_runs(make_run, compared):
    """Nothing to compare is an error that says why, not an empty table."""
    make_run('mib', 1, STEPS[:1])
    with pytest.raises(InvalidInputError, match=r'no run is finished: .*1 of 2 steps'):
        compared()


def test_columns_for_every_protocol(make_run, compared):
    """Settings and class orders are columns of their own, named where they differ."""
    make_run('mib', 0, STEPS)
    make_run('mib', 0, STEPS, setting='disjoint')
    make_run(
        'mib',
        0,
        STEPS,
        setting='disjoint',
        classes=['background', 'a', 'c', 'b'],
        folder='other_order',
    )
    table = compared()
    assert [table.label(key) for key in table.protocols] == [
        'toy 2-1 disjoint order 1',
        'toy 2-1 disjoint order 2',
        'toy 2-1 overlap',
    ]
    assert 'toy 2-1 disjoint order 2: a, c, b' in table.notes
    assert table.rows == ['mib']


def test_curve(make_run, compared):
    """The plot's points: mean and spread of all seen classes after each step."""
    for seed, c in enumerate((30.0, 33.0, 39.0)):
        make_run('mib', seed, [(80.0 + seed, 60.0), (50.0, 40.0, c)])
    table = compared()
    first, last = table.curve('mib', table.protocols[0])
    assert first == Spread(70.5, pytest.approx(0.5), 3)
    assert last == table.spread('mib', table.protocols[0], 'all')


def test_a_row_of_two_methods(make_run):
    """X=ft X=mib with two seeds had a mean and a spread; a name that is a method's is no way in."""
    paths = make_run('ft', 0, STEPS), make_run('mib', 1, STEPS)
    for names in (('X=', 'X='), ('mib=', '')):
        runs, _ = find_runs([f'{name}{path}' for name, path in zip(names, paths)])
        with pytest.raises(InvalidInputError, match='has two methods'):
            ComparisonTable(runs)


def test_a_row_of_two_settings(make_run):
    """A user's name for two trainings of other lengths; on two protocols it is one row."""
    paths = [
        make_run('mib', seed, STEPS, settings={'epochs': seed}, name=name)
        for seed, name in ((0, '2-1'), (1, '2-1'), (2, '1-1'))
    ]
    runs, _ = find_runs([f'X={path}' for path in paths])
    with pytest.raises(InvalidInputError, match=r"'X' has two settings .*: epochs is 0"):
        ComparisonTable(runs)
    assert ComparisonTable(runs[1:]).rows == ['X']


def test_unknown_settings_are_told(make_run, compared):
    """If it fails, a reader takes the missing "epochs differs" for equal terms."""
    make_run('mib', 0, STEPS, settings={'epochs': 1})
    assert not compared().notes
    make_run('ft', 0, STEPS)
    [note] = compared().notes
    assert note.startswith('Settings of ft are unknown, no config.json is next to')
    make_run('mib', 1, STEPS)
    [note] = compared().notes
    assert note.startswith('Settings of all rows are unknown') and note in compared().text()


def test_unknown_convention():
    """A typo is named with what is allowed."""
    with pytest.raises(InvalidInputError, match="'voc', expected 'mib', 'plop' or 'wilson'"):
        ComparisonTable([], 'voc')


ROOT = Path(__file__).parents[3]


def test_the_committed_ledgers(tmp_path):
    """The project's own results in one table, equal to those of docs/results."""
    names = [
        f'{method}_{protocol}'
        for method in ('ft', 'mib', 'joint')
        for protocol in ('4-1', '6-5', '6-1')
    ]
    ledgers = [
        path for path in sorted((ROOT / 'docs/results').glob('[cs]*/*.json')) if path.stem in names
    ]
    shown = compare(list(map(str, ledgers)), tmp_path / 'out')
    page = re.sub(' +', ' ', (ROOT / 'docs/results/README.md').read_text())
    lines = [line for line in shown.splitlines() if line.startswith(('| ft ', '| mib ', '| joint'))]
    assert len(lines) == 3
    for line in lines:
        cells = [cell.strip() for cell in line.strip('|').split('|')]
        for start in range(1, len(cells), 4):
            assert ' | '.join(cells[start : start + 3]) in page, line


def test_files(make_run, tmp_path):
    """Text, Markdown, CSV and plot; a second call replaces them."""
    make_run('mib', 0, [(80.0, 60.0), (50.0, 40.0, 30.0)])
    for _ in range(2):
        shown = compare([str(tmp_path)], tmp_path / 'out')
    names = {f'comparison.{suffix}' for suffix in ('txt', 'md', 'csv', 'png')}
    assert {path.name for path in (tmp_path / 'out').iterdir()} == names
    assert shown.startswith((tmp_path / 'out/comparison.txt').read_text().strip())
    assert all(name in shown for name in names)


def test_without_matplotlib(make_run, tmp_path, monkeypatch):
    """The tables are made; one line tells how to get the plot; no old plot contradicts them."""
    monkeypatch.setitem(sys.modules, 'matplotlib', None)
    make_run('mib', 0, [(80.0, 60.0), (50.0, 40.0, 30.0)])
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out/comparison.png').write_bytes(b'old')
    shown = compare([str(tmp_path)], tmp_path / 'out')
    assert shown.splitlines()[-1] == (
        'no plot: it needs matplotlib (python -m pip install matplotlib)'
    )
    assert sorted(path.suffix for path in (tmp_path / 'out').iterdir()) == ['.csv', '.md', '.txt']


def test_nothing_is_written_for_a_damaged_ledger(make_run, tmp_path):
    """One damaged file among many: it is named, and no table without it appears."""
    make_run('mib', 0, [(80.0, 60.0), (50.0, 40.0, 30.0)])
    (make_run('ft', 0, [(80.0, 60.0)]) / 'results.json').write_text('{"config"')
    with pytest.raises(InvalidInputError, match=r'ft_toy_2-1_overlap_0/results.json is not a led'):
        compare([str(tmp_path)], tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_columns_are_in_the_order_of_the_protocols(make_run, compared):
    """If it fails, 2-1 and 1-1 change places from table to table."""
    classes = ['background', 'a', 'b', 'c']
    make_run('ft', 0, [(80.0, 60.0), (50.0, 40.0, 30.0)], name='2-1', classes=classes)
    make_run('ft', 0, [(80.0, 60.0), (50.0, 40.0, 30.0)], name='2-1', setting='disjoint')
    make_run('ft', 0, [(80.0, 60.0), (50.0, 40.0, 30.0)], name='2-1', dataset='another')
    labels = [compared().label(key) for key in compared().protocols]
    assert labels == ['another 2-1 overlap', 'toy 2-1 disjoint', 'toy 2-1 overlap']


def test_class_orders_are_named_where_they_differ(make_run, compared):
    """If it fails, two columns of one name cannot be told apart, or a lone one is explained."""
    make_run('ft', 0, [(80.0, 60.0), (50.0, 40.0, 30.0)])
    assert compared().notes[:1] == [
        'Settings of all rows are unknown, no config.json is next to '
        'their ledgers: epochs, learning rate and all else may differ'
    ]
    make_run(
        'ft',
        0,
        [(80.0, 60.0), (50.0, 40.0, 30.0)],
        folder='other',
        classes=['background', 'b', 'a', 'c'],
    )
    table = compared()
    assert [table.label(key) for key in table.protocols] == ['toy 2-1 order 1', 'toy 2-1 order 2']
    assert table.notes[:2] == ['toy 2-1 order 1: a, b, c', 'toy 2-1 order 2: b, a, c']


def test_first_number_of_a_row_is_right_aligned(make_run, compared):
    """If it fails, decimals of the first column cannot be compared by eye."""
    make_run('ft', 0, [(80.0, 60.0), (5.0, 4.0, 30.0)])
    row = compared().markdown().splitlines()
    assert any(line.startswith('|--------|') and line.count('-:|') == 4 for line in row)


def test_the_picture_is_named_with_the_tables(make_run, tmp_path):
    """If it fails, the last line hides a file, or breaks the table above it."""
    pytest.importorskip('matplotlib')
    make_run('mib', 0, [(80.0, 60.0), (50.0, 40.0, 30.0)])
    text = compare([str(tmp_path)], tmp_path / 'out')
    table, _, files = text.rpartition('\n')
    assert table == (tmp_path / 'out/comparison.txt').read_text().rstrip('\n')
    assert files.endswith('comparison.txt, comparison.md, comparison.csv, comparison.png')


def test_bases_and_steps_order_the_columns(make_run, compared, tmp_path):
    """If it fails, 1-1 stands before 2-1, or protocols of one name change places."""
    shapes = {
        '1-2': [[1], [2, 3]],
        '1-1': [[1], [2], [3]],
        '2-1b': [[1, 2], [3]],
        '2-1a': [[1, 2], [3]],
    }
    for name, steps in shapes.items():
        values = [(80.0, 60.0), *[(50.0, 40.0, 30.0)] * (len(steps) - 1)]
        path = make_run('mib', 0, values, name=name) / 'results.json'
        edit_json(path, lambda content, steps=steps: content['protocol'].update(steps=steps))
    assert [key[1] for key in compared().protocols] == ['2-1a', '2-1b', '1-2', '1-1']
