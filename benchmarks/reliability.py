"""Is finished work safe, and is nothing damaged used?  Kills, damaged files, attacks, full disks.

    python benchmarks/reliability.py [--rounds 6] [--trials 2] [--only kills damage]

Each part prints its lines and then one that begins with ``target:``.  All parts take about half an
hour on two cores.  A file system of its own for the full disk needs the right to mount one.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / 'benchmarks')]

import torch
from faults.damage import damage_files
from faults.full_disk import full_disk
from faults.kills import kill_runs
from faults.many_steps import many_steps
from faults.processes import several_processes
from mmengine.registry import init_default_scope
from side_by_side import target

#: tests that attack: files that would run code, and names and links that lead out of the data
ATTACKS = {
    'code in files': ['tests/common/test_no_file_runs_code.py'],
    'ids, paths and links': ['tests/test_datasets/test_names_and_links.py'],
}


def kills(folder: Path, options: argparse.Namespace) -> list[str]:
    """Kill trainings, and compare what they end with."""
    lines, total, bad = kill_runs(folder, options.rounds)
    target('kills', total, at_least=50, unit='')
    target('runs that end otherwise', bad, at_most=0, unit='')
    return lines


def damage(folder: Path, options: argparse.Namespace) -> list[str]:
    """Damage files, and go on."""
    lines, total, faults = damage_files(folder, options.trials)
    target('damaged files', total, at_least=500, unit='')
    target('used in silence, or a traceback', faults, at_most=0, unit='')
    return lines


def attacks(folder: Path, options: argparse.Namespace) -> list[str]:
    """Run the tests that attack."""
    lines = []
    for what, files in ATTACKS.items():
        done = subprocess.run(
            [sys.executable, '-m', 'pytest', '-q', '-n0', '-p', 'no:cacheprovider', *files],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        lines.append(f'{what}: {done.stdout.strip().splitlines()[-1]}')
        target(f'attacks that succeed, {what}', done.returncode, at_most=0, unit='')
    return lines


def disk(folder: Path, options: argparse.Namespace) -> list[str]:
    """Fill the disk."""
    lines, faults = full_disk(folder)
    target('faults on a full disk', faults, at_most=0, because='no disk can be mounted', unit='')
    return lines


def steps(folder: Path, options: argparse.Namespace) -> list[str]:
    """Train fifty steps."""
    lines, faults = many_steps(folder)
    target('what grows over fifty steps', faults, at_most=0, unit='')
    return lines


def processes(folder: Path, options: argparse.Namespace) -> list[str]:
    """Kill one of several processes."""
    lines, faults = several_processes(folder)
    target('faults with several processes', faults, at_most=0, unit='')
    return lines


Part = Callable[[Path, argparse.Namespace], list[str]]
PARTS: dict[str, Part] = {
    each.__name__: each for each in (kills, damage, attacks, disk, steps, processes)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=6, help='runs of each method that are killed')
    parser.add_argument('--trials', type=int, default=2, help='trials of each damage to each file')
    parser.add_argument('--only', nargs='+', choices=list(PARTS), default=list(PARTS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    init_default_scope('incseg')
    for name in options.only:
        print(f'## {name}\n', flush=True)
        begin = time.monotonic()
        with TemporaryDirectory() as folder:
            lines = PARTS[name](Path(folder), options)
        print('', *lines, '', f'{time.monotonic() - begin:.0f} s\n', sep='\n', flush=True)


if __name__ == '__main__':
    main()
