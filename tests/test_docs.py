"""Numbers in the docs are those of the committed ledgers; commands in them are those that run."""

import json
import re
import statistics
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from incseg.apis.run_list import plan_runs
from incseg.evaluation import class_table, results_table
from incseg.evaluation.report import number

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / 'docs/results/README.md'
OF_THEIR_OWN = (
    'tuning',
    'sweeps',
    'pi_held',
    'runs',
    'own_folder',
    'failed',
)  # folders with content of another form
LEDGERS = sorted(
    path
    for path in PAGE.parent.rglob('*.json')
    if not {*OF_THEIR_OWN} & {*path.relative_to(PAGE.parent).parts}
)
SWEEPS = sorted((PAGE.parent / 'sweeps').glob('*.json'))
TUNING = sorted((PAGE.parent / 'tuning').glob('*.json'))


def test_results_page():
    """If it fails, the page was typed, or not made anew from its ledgers."""
    command = [sys.executable, str(ROOT / 'benchmarks/result_page.py'), '--check']
    made = subprocess.run(command, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr


@pytest.mark.parametrize('path', LEDGERS, ids=lambda path: path.stem)
def test_ledgers(path):
    """Every committed ledger is in a table of the page, and so is the config that made it."""
    ledger, page = json.loads(path.read_text()), PAGE.read_text()
    assert f'[{ledger["seed"]}]({path.relative_to(PAGE.parent).as_posix()})' in page
    lists = [file.read_text() for file in (PAGE.parent / 'runs').glob('*.json')]
    assert any(ledger['config'] in text for text in [page, *lists]), 'the command is there'
    assert (ROOT / ledger['config']).is_file()
    assert 'NaN' not in path.read_text()


def test_one_command_makes_all_ledgers_of_shapes(tmp_path):
    """If it fails, a ledger of Shapes is made by no run of the file, or a run leaves none."""
    file = PAGE.parent / 'runs/shapes.json'
    runs = {run['name']: run for run in json.loads(file.read_text())['runs']}
    planned = {run.name: run for run in plan_runs([str(file)], tmp_path)}
    ledgers = {path.stem: path for path in (PAGE.parent / 'shapes').glob('*.json')}
    assert planned.keys() == ledgers.keys()
    for name, path in ledgers.items():
        ledger = json.loads(path.read_text())
        assert ledger['config'] == runs[name]['config']
        assert ledger['protocol'] == planned[name].experiment.describe_protocol()
        assert ledger['seed'] == 42 and planned[name].title.endswith(f'_{name}_seed42')


@pytest.mark.parametrize('method', ['ft', 'lwf', 'ilt', 'mib', 'plop', 'ewf', 'joint'])
def test_mean_and_spread_of_three_seeds(method):
    """The CamVid table of README is that of the ledgers."""
    finals = [
        json.loads(path.read_text())['final']
        for path in (PAGE.parent / 'camvid').glob(f'{method}_6-1_seed*.json')
    ]
    assert len(finals) == 3
    cells = []
    for column in ('base', 'added', 'all'):
        values = [final[column] for final in finals]
        cells.append(f'{statistics.fmean(values):.1f} ± {statistics.stdev(values):.1f}')
    row = f'| {method} | {" | ".join(cells)} |'
    assert row in (ROOT / 'README.md').read_text()


@pytest.mark.parametrize('path', TUNING, ids=lambda path: path.stem)
def test_tuning_tables(path):
    """What was tried for a weight is on the page with its ledger's numbers."""
    final = json.loads(path.read_text())['final']
    weight, rate = path.stem.split('_kd')[1].split('_lr')
    row = ' | '.join(
        [
            f'[{weight}](tuning/{path.name})',
            rate,
            *(number(final[column]) for column in ('base', 'added', 'all')),
        ]
    )
    assert f'| {row} |' in PAGE.read_text()


@pytest.mark.parametrize(
    'name', ['all', 'random90', 'positive', 'positive_heads', 'positive_vectors', 'random45']
)
def test_what_holding_parameters_holds(name):
    """The table of PI's page is that of the ledgers."""
    final = json.loads((PAGE.parent / f'pi_held/{name}.json').read_text())['final']
    row = ' | '.join(
        [
            f'[{name}](../results/pi_held/{name}.json)',
            *(number(final[column]) for column in ('base', 'added', 'all')),
        ]
    )
    assert f'| {row} |' in (ROOT / 'docs/methods/pi.md').read_text()


@pytest.mark.parametrize('path', SWEEPS, ids=lambda path: path.stem)
def test_sweeps(path):
    """The table of pseudo-labels has the best row of each committed sweep."""
    sweep = json.loads(path.read_text())
    best = max(sweep['sweep'], key=lambda row: row['all'])
    row = (
        f'](sweeps/{path.name}) | {sweep["images"]:,} | {best["threshold"]:.2f} '
        f'| {best["classes"]:.1f} | {best["all"]:.1f} |'
    )
    assert row in PAGE.read_text()


def test_readme_shows_the_default_runs_table():
    """The tables in the README are those that the first command printed."""
    ledger = json.loads((ROOT / 'docs/results/shapes/mib_4-1.json').read_text())
    tables = textwrap.indent(f'{class_table(ledger)}\n{results_table(ledger)}', '    ')
    assert tables in (ROOT / 'README.md').read_text()


def test_ci_runs_the_readmes_command():
    """A green CI must mean that what the README promises works."""
    readme = (ROOT / 'README.md').read_text()
    command = (ROOT / '.ci/run').read_text().strip().splitlines()[-1]
    assert re.search(r'pip install .* pytest$', command)
    assert f'    {command}\n' in readme


def test_links():
    """No link to a page that is not there."""
    for page in [*ROOT.glob('*.md'), *(ROOT / 'docs').rglob('*.md')]:
        for target in re.findall(r'\]\(([^)#:]+)\)', page.read_text()):
            assert (page.parent / target).exists(), f'{page.name}: {target}'
