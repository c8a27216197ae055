import sys
from pathlib import Path

import pytest

from incseg.errors import InvalidInputError
from incseg.evaluation.comparison.compare import compare

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
    page = (ROOT / 'docs/results/README.md').read_text()
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
