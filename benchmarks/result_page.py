"""Write the page of results from its template and the committed ledgers.

    python benchmarks/result_page.py [--check]

The template is ``README.md.in`` in ``docs/results``, the page is ``README.md``.  A ledger is
``TABLE/ROW_PROTOCOL[_seedN].json``, and ``runs/TABLE.json`` lists the runs that make it.  In the
template stand, in double braces:

``table TABLE PROTOCOL [ROW …]``
    a line per row: mean and, with several seeds, sample standard deviation; each seed is a link to
    its ledger
``command TABLE OPTIONS``
    the command that trains all runs of the table
``picture TABLE PROTOCOL``
    mIoU over the steps, a line per row; written to ``docs/figures/results_TABLE_PROTOCOL.png``
``TABLE/ROW PROTOCOL COLUMN``
    one number, the mean over seeds; ``first`` is the base after step 0, ``class:NAME`` an IoU

Numbers are percent.  ``--check`` writes nothing and says whether the page is that of its ledgers.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from side_by_side import ROOT
from terminaltables import GithubFlavoredMarkdownTable

from incseg.evaluation.comparison.plot import draw_curves
from incseg.evaluation.comparison.rows import row_rank
from incseg.evaluation.comparison.runs import RunResult
from incseg.evaluation.comparison.table import ComparisonTable, Spread
from incseg.evaluation.report import number
from incseg.utils.files import read_json

RESULTS = ROOT / 'docs/results'
PAGE, TEMPLATE = RESULTS / 'README.md', RESULTS / 'README.md.in'
FIGURES = ROOT / 'docs/figures'
COLUMNS = {
    'base after step 0': 'first',
    'base': 'base',
    'added': 'added',
    'all': 'all',
    'accuracy': 'accuracy',
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--check', action='store_true', help='write nothing')
    args = parser.parse_args()
    text = page(TEMPLATE.read_text())
    if args.check:
        equal = text == PAGE.read_text()
        print(f'{PAGE} {"is" if equal else "is not"} that of its ledgers')
        return 0 if equal else 1
    PAGE.write_text(text)
    for table, protocol in re.findall(r'\{\{picture (\S+) (\S+)\}\}', TEMPLATE.read_text()):
        draw_curves(ComparisonTable(titled(table, protocol)), picture_path(table, protocol))
    return 0


def page(template: str) -> str:
    """Fill a template.

    Raises:
        SystemExit: Something in braces names no table, row or column.
    """
    return re.sub(r'\{\{([^{}]+)\}\}', lambda match: filled(match[1].split()), template)


def filled(words: Sequence[str]) -> str:
    """Return what stands for the words of one pair of braces."""
    kinds: dict[str, Callable[..., str]] = {
        'table': table_of,
        'command': command_of,
        'picture': picture_of,
    }
    make = kinds.get(words[0])
    return number_of(*words) if make is None else make(*words[1:])


def runs_of(table: str, protocol: str, rows: Sequence[str] = ()) -> list[RunResult]:
    """Return the runs of a table's rows, in the order of its file of runs, then by seed."""
    runs = [RunResult.read(path) for path in sorted((RESULTS / table).glob('*.json'))]
    runs = [run for run in runs if run.protocol[1] == protocol]
    if missing := set(rows) - {row_of(run) for run in runs}:
        sys.exit(f'error: no ledger of {", ".join(sorted(missing))} in {table}, {protocol}')
    if rows:
        runs = [run for run in runs if row_of(run) in rows]
    if not runs:
        sys.exit(f'error: no ledger of {protocol} in {RESULTS / table}')
    file = RESULTS / f'runs/{table}.json'
    listed = json.loads(file.read_text())['runs'] if file.is_file() else []
    order = list(rows) or [run.get('name', Path(run['config']).parent.name) for run in listed]

    def place(run: RunResult) -> tuple:
        row = row_of(run)
        known = order.index(row) if row in order else len(order)
        return known, row_rank(run.method, row), run.seed

    return sorted(runs, key=place)


def row_of(run: RunResult) -> str:
    """Return the name of a run's row: that of its ledger's file without protocol and seed."""
    return run.own_name or run.method


def titled(table: str, protocol: str) -> list[RunResult]:
    """Return the runs of a table, each with the title of its row."""
    return [RunResult(run.path, run.content, None, row_of(run)) for run in runs_of(table, protocol)]


def value(run: RunResult, column: str) -> float | None:
    """Return a number of a run in percent: of the last step, but for ``first``."""
    first, last = run.content['steps'][0], run.content['steps'][-1]
    if column == 'first':
        return first['mib']['base']
    if column == 'accuracy':
        return last['accuracy']
    if column.startswith('class:'):
        return last['iou'][column.removeprefix('class:')]
    return run.content['final'][column]


def by_row(runs: Sequence[RunResult]) -> dict[str, list[RunResult]]:
    """Group runs by their row, in their order."""
    rows: dict[str, list[RunResult]] = {}
    for run in runs:
        rows.setdefault(row_of(run), []).append(run)
    return rows


def table_of(table: str, protocol: str, *rows: str) -> str:
    """A Markdown table with a line per row."""
    grouped = by_row(runs_of(table, protocol, rows))
    lines = [['method', *COLUMNS, 'seeds']]
    for row, runs in grouped.items():
        spreads = [Spread.of([value(run, column) for run in runs]) for column in COLUMNS.values()]
        links = [f'[{run.seed}]({run.path.relative_to(RESULTS).as_posix()})' for run in runs]
        lines.append([row, *map(str, spreads), ' '.join(links)])
    made = GithubFlavoredMarkdownTable(lines)
    for column in range(1, len(lines[0])):
        made.justify_columns[column] = 'right'
    return '\n\n'.join([made.table, *failures(table, protocol, rows)])


def failures(table: str, protocol: str, rows: Sequence[str]) -> list[str]:
    """Return a list of the runs that have no ledger, and why, or nothing."""
    lines = []
    for path in sorted((RESULTS / 'failed' / table).glob(f'*_{protocol}_seed*.json')):
        row, _, seed = path.stem.partition(f'_{protocol}_seed')
        if not rows or row in rows:
            why = read_json(path, 'a reason')['reason'].partition(';')[0]
            lines.append(f'- {row}, seed {seed}, did not end: {why}')
    return ['\n'.join(lines)] if lines else []


def command_of(table: str, *options: str) -> str:
    """The command that trains all runs of a table, as a line of code."""
    line = f'python benchmarks/result_runs.py {table}'
    return ' '.join([f'    {line}', *options])


def picture_path(table: str, protocol: str) -> Path:
    return FIGURES / f'results_{table}_{protocol}.png'


def picture_of(table: str, protocol: str) -> str:
    """The picture of mIoU over the steps."""
    path = picture_path(table, protocol).relative_to(ROOT / 'docs')
    return f'![mIoU over the steps, {table} {protocol}](../{path.as_posix()})'


def number_of(*words: str) -> str:
    """One number: ``TABLE/ROW PROTOCOL COLUMN``."""
    if len(words) != 3 or '/' not in words[0]:
        sys.exit(f'error: {{{{{" ".join(words)}}}}} is nothing that a template may say')
    table, _, row = words[0].partition('/')
    runs = runs_of(table, words[1], [row])
    return number(Spread.of([value(run, words[2]) for run in runs]).mean)


if __name__ == '__main__':
    sys.exit(main())
