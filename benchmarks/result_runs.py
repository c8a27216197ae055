"""Train the runs of a table of the results page, and keep their ledgers.

    python benchmarks/result_runs.py TABLE --data-root DIR [--work-dir DIR] [--seeds N …]
    python benchmarks/result_runs.py TABLE --data-root DIR --devices cpu,cpu
    python benchmarks/result_runs.py TABLE --data-root DIR --sizes 128 160 192 --hours 6

``docs/results/runs/TABLE.json`` lists the runs.  A run whose ledger is in ``docs/results/TABLE`` is
not trained again; each new ledger is copied there as its run ends, so the command goes on where it
stopped, also without the former work dir: base steps are made anew where they are gone.  A run that
failed leaves ``NAME.failed.json`` with its reason, and is tried again with ``--failed``.  Each of
``--devices``, as of ``incseg matrix``, trains one run at a time.

With ``--sizes`` nothing is kept: some iterations of the first run are timed at each ``crop_size``,
and a table says how many hours of one core the missing runs would take.  The largest size that fits
in ``--hours`` is written into the file of runs.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')

from side_by_side import ROOT, report

from incseg.apis.run_list import plan_runs
from incseg.engine.matrix.child_process import die_with_parent
from incseg.engine.matrix.devices import Device, parse_devices
from incseg.engine.matrix.plan import MatrixRun
from incseg.engine.matrix.run_matrix import run_matrix
from incseg.evaluation.ledger import Ledger
from incseg.protocols import Protocol
from incseg.registry import DATASETS
from incseg.utils.files import write_json

RESULTS = ROOT / 'docs/results'
#: an iteration of a later step, with the old network, beside one of step 0
LATER = 1.4
#: share of the time that is not training: evaluations, starts
BESIDE = 1.2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('table', choices=sorted(p.stem for p in (RESULTS / 'runs').glob('*.json')))
    parser.add_argument('--data-root', required=True)
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/results'))
    parser.add_argument('--seeds', type=int, nargs='+')
    parser.add_argument('--devices', metavar='0,1,…', help='default: run by run')
    parser.add_argument('--failed', action='store_true', help='try failed runs again')
    parser.add_argument('--sizes', type=int, nargs='+', metavar='PIXELS')
    parser.add_argument('--hours', type=float, default=6, help='of one core')
    args = parser.parse_args()
    source = RESULTS / f'runs/{args.table}.json'
    options = {'data_root': args.data_root}
    runs = plan_runs([str(source)], args.work_dir / args.table, args.seeds, options)
    todo = [run for run in runs if not is_settled(run, args.table, args.failed)]
    print(f'{len(runs) - len(todo)} of {len(runs)} runs are done', flush=True)
    if args.sizes:
        return choose_size(source, todo, args.sizes, args.hours)
    devices = [Device()] if args.devices is None else parse_devices(args.devices)
    failed = train(todo, args.work_dir / args.table, args.table, devices)
    return 1 if failed else 0


def ledger_path(run: MatrixRun, table: str) -> Path:
    """Return where the ledger of a run is kept: ``TABLE/ROW_PROTOCOL[_seedN].json``."""
    row = run.name or run.experiment.method
    name = f'{row}_{run.experiment.describe_protocol()["name"]}'
    alone = RESULTS / table / f'{name}.json'
    return alone if alone.is_file() else alone.with_stem(f'{name}_seed{run.experiment.seed}')


def failure_path(run: MatrixRun, table: str) -> Path:
    """Return where the reason is kept for which a run has no ledger."""
    return RESULTS / 'failed' / table / ledger_path(run, table).name


def is_settled(run: MatrixRun, table: str, again: bool) -> bool:
    """Tell whether a run has a ledger, or a reason for having none."""
    failed = failure_path(run, table).is_file() and not again
    return failed or ledger_path(run, table).is_file()


def train(runs: Sequence[MatrixRun], folder: Path, table: str, devices: Sequence[Device]) -> int:
    """Train runs and keep the ledger of each, or the reason for which there is none.

    Returns:
        The number of runs that failed.
    """

    def say(line: str) -> None:
        if line.startswith('['):
            print(time.strftime('%H:%M'), line, flush=True)

    def keep(run: MatrixRun, failure: str | None) -> None:
        kept, reason = ledger_path(run, table), failure_path(run, table)
        if failure is None:
            write_json(kept, portable(Ledger.read_file(run.work_dir / Ledger.FILE)))
            reason.unlink(missing_ok=True)
        else:
            write_json(reason, {'reason': failure})

    return run_matrix(runs, folder, devices=devices, on_end=keep, say=say) if runs else 0


def portable(ledger: dict[str, Any]) -> dict[str, Any]:
    """Return a ledger whose base step is named without the folder where it was."""
    for entry in ledger['steps']:
        if 'reused_from' in entry:
            entry['reused_from'] = f'work_dirs/_base_steps/{Path(entry["reused_from"]).name}'
    return ledger


def choose_size(source: Path, runs: Sequence[MatrixRun], sizes: Sequence[int], hours: float) -> int:
    """Time an iteration at each size, and write the largest that fits into the file of runs."""
    if not runs:
        return 0
    iterations = sum(step_iterations(run, 0) for run in first_of_each_base(runs))
    later = sum(step_iterations(run, k) for run in runs for k in range(1, run.experiment.num_steps))
    rows, fits = [], []
    for size in sizes:
        seconds = seconds_of_an_iteration(runs[0], size)
        needed = BESIDE * seconds * (iterations + LATER * later) / 3600
        rows.append((str(size), f'{seconds:.2f}', f'{needed:.1f}'))
        if needed <= hours:
            fits.append(size)
    report(
        f'{len(runs)} runs, {iterations:,} iterations of step 0, {later:,} of later steps',
        ('crop_size', 's an iteration', 'hours of one core'),
        rows,
    )
    if not fits:
        print(f'none fits in {hours:g} hours: take fewer epochs')
        return 1
    content = json.loads(source.read_text())
    content['options'] = {**content.get('options', {}), 'crop_size': max(fits)}
    source.write_text(json.dumps(content, indent=1) + '\n')
    print(f'{source}: crop_size={max(fits)}')
    return 0


def first_of_each_base(runs: Sequence[MatrixRun]) -> list[MatrixRun]:
    """Return the runs that train a step 0: one for each seed, and all joint ones."""
    seeds = {run.experiment.seed: run for run in runs if not run.experiment.joint}
    return [*seeds.values(), *(run for run in runs if run.experiment.joint)]


def step_iterations(run: MatrixRun, k: int) -> int:
    """Return the number of iterations of a step, as the masks and the schedule have it."""
    sources = run.experiment.sources
    dataset = DATASETS.build(sources.data(k, 'train'))
    dataset.full_init()
    protocol = Protocol(dataset.num_classes, **sources.labelling(k)['protocol'])
    images = len(protocol.select(dataset.presence(), k))
    return run.experiment.epochs(k) * max(images // run.config['batch_size'], 1)


def seconds_of_an_iteration(run: MatrixRun, size: int) -> float:
    """Train some iterations of step 0 at a size; return the seconds of the last."""
    options = {**run.options, 'crop_size': size, 'schedule.log_interval': 4}
    command = MatrixRun(
        run.config_path, options, run.config, run.folder / f'_trial_{size}', run.name
    ).command(reuse=False)
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=die_with_parent(),
    )
    assert process.stdout is not None
    times: list[float] = []
    last = ''
    for line in process.stdout:
        last = line.strip() or last
        times += map(float, re.findall(r'\btime: ([0-9.]+)', line))
        if len(times) == 4:
            break
    process.kill()
    process.wait()
    if not times:
        sys.exit(f'error: the trial at {size} pixels ended: {last}')
    return min(times[1:] or times)


if __name__ == '__main__':
    sys.exit(main())
