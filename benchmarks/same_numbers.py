"""Does a change of the code leave every number as it was?  Small trainings, compared bit by bit.

    python benchmarks/same_numbers.py record TREE --out before.json [--only mib wilson]
    python benchmarks/same_numbers.py compare before.json after.json

``record`` trains on the CPU, with one thread, through the tools of a checkout, ``TREE``.  It keeps
the losses of every iteration as each process computed them, the ledger, its table, and SHA-256 of
the weights and of pseudo-labels.  Numbers of two machines or two versions of torch may differ.
"""

import argparse
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from terminaltables import AsciiTable

RECORDER = Path(__file__).with_name('number_recorder.py')
#: keys of the ledger that are times, paths, or depend on how a file is laid out
NO_NUMBERS = {
    *('seconds', 'config', 'reused_from', 'init_from', 'ckpt_sha'),
    *('network', 'format', 'digest'),
}
#: the least after which networks predict more than background, and tables can differ
TINY = {
    'seed': 42,
    'data.train.length': 32,
    'data.test.length': 6,
    'data.train.size': 32,
    'data.test.size': 32,
    'batch_size': 4,
    'epochs': [5, 4],
    'norm_cfg.momentum': 0.3,
    'schedule.lr.added': 0.06,
    'schedule.log_interval': 100,
    'schedule.checkpoint_interval': 4,
}
TINY_SEAM = {
    'seam_dir': 'seam',
    'seam.schedule.epochs': 4,
    'seam.schedule.batch_size': 4,
    'seam.schedule.log_interval': 100,
    'seam.schedule.checkpoint_interval': 4,
}

MORE = {'data.train.length': 120}  # where a step leaves images out


@dataclass
class Run:
    """A leaf of ``configs/``, what is overridden, and how it is started."""

    leaf: str
    options: dict[str, Any] = field(default_factory=dict)
    processes: int = 1
    stop_at: str = ''  # where it is interrupted and resumed


MIB, METHODS = (
    'mib/bisenet_r18_shapes_4-1',
    ('mib', 'ewc', 'plop', 'ilt', 'lwf', 'lwf_mc', 'ewf', 'pi', 'replay', 'frozen', 'joint', 'ft'),
)
RUNS = {
    **{name: Run(f'{name}/bisenet_r18_shapes_4-1') for name in METHODS},
    'rw': Run('rw/bisenet_r18_shapes_4-1', {'method.hooks.rw.interval': 2}),
    'wilson': Run(
        'wilson/bisenet_r18_shapes_4-2', {'warmup_epochs': 1, 'schedule.lr.added': 0.004}
    ),
    **{
        name: Run(f'{name}/bisenet_r18_shapes_4-2', TINY_SEAM)
        for name in ('mib_s', 'ft_s', 'joint_s')
    },
    'mib, disjoint': Run(MIB, {'protocol.setting': 'disjoint', **MORE}),
    'mib, sequential': Run(MIB, {'protocol.setting': 'sequential', **MORE}),
    'ft, sequential': Run(  # MiB makes background of old classes, as disjoint has them
        'ft/bisenet_r18_shapes_4-1', {'protocol.setting': 'sequential', **MORE}
    ),
    'mib, class order': Run(MIB, {'protocol.class_order': [6, 2, 4, 1, 5, 3]}),
    'mib, memory': Run(MIB, {'method.memory': {'size': 12}}),
    'mib, half size': Run(MIB, {'image_scale': 0.5, 'data.train.size': 64, 'data.test.size': 64}),
    'mib, bfloat16': Run(MIB, {'schedule.amp': True}),
    'mib, resumed': Run(MIB, stop_at='step_1 7'),
    'mib, 2 processes': Run(MIB, processes=2),
}


def record(tree: Path, run: Run) -> dict[str, Any]:
    """Train with the code of a checkout, and return all numbers that came out.

    Raises:
        RuntimeError: The training failed, says how.
    """
    with TemporaryDirectory() as name:
        folder, stop = Path(name), Path(name, 'stop')
        shutil.copy(RECORDER, folder)
        (folder / 'config.py').write_text(
            f"_base_ = '{tree}/configs/{run.leaf}.py'\n"
            f"custom_imports = dict(imports=['{RECORDER.stem}'])\n"
        )
        if run.stop_at:
            stop.write_text(run.stop_at)
            said = train(tree, run, folder)[1]
            if stop.exists():
                raise RuntimeError(f'was to be interrupted at {run.stop_at}: {said}')
        status, said = train(tree, run, folder, '--resume')
        if status:
            raise RuntimeError(said)
        found = (folder / 'tree').read_text()
        if not Path(found).is_relative_to(tree):
            raise RuntimeError(f'{found} was trained with, not {tree}')
        losses: dict[str, Any] = {}
        for path in sorted(folder.glob('losses_*')):
            for where, values in map(json.loads, path.read_text().splitlines()):
                losses[f'{where}, again' if where in losses else where] = values
        ledger = leaves(json.loads((folder / 'run/results.json').read_text()))
        results = {key: value for key, value in ledger if not NO_NUMBERS & {*key.split('.')}}
        return dict(
            losses=losses,
            files=dict(digests(folder)),
            tables=dict(results=results, table=(folder / 'run/results.md').read_text()),
        )


def train(tree: Path, run: Run, folder: Path, *flags: str) -> tuple[int, str]:
    """Train in a folder; returns the exit status and the end of what was said."""
    start = [sys.executable, f'{tree}/tools/train.py', 'config.py']
    if run.processes > 1:
        start = ['bash', f'{tree}/tools/dist_train.sh', 'config.py', str(run.processes)]
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    options = [f'{key}={value}' for key, value in {**TINY, **run.options}.items()]
    done = subprocess.run(
        [*start, '--work-dir', 'run', '--no-reuse', *flags, '--cfg-options', *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=dict(
            os.environ,
            PYTHONPATH=f'{tree}{os.pathsep}{folder}',
            PYTHON=sys.executable,
            PORT=str(port),
            INCSEG_CACHE_DIR=str(folder / 'cache'),
            CUDA_VISIBLE_DEVICES='',
            OMP_NUM_THREADS='1',
            MKL_NUM_THREADS='1',
        ),
    )
    return done.returncode, done.stdout[-4000:]


def leaves(part: Any, key: str = '') -> Iterator[tuple[str, Any]]:
    """What nested dicts and lists hold, by dotted key."""
    if not isinstance(part, (dict, list, tuple)):
        yield key, part
        return
    for name, value in part.items() if isinstance(part, dict) else enumerate(part):
        yield from leaves(value, f'{key}.{name}' if key else str(name))


def digests(folder: Path) -> Iterator[tuple[str, str]]:
    """SHA-256 of the tensors of every checkpoint, and of all pseudo-labels together."""
    for path in sorted([*folder.glob('run/step_*/final.pth'), *folder.glob('seam/*/seam.pth')]):
        sha = hashlib.sha256()
        for key, value in leaves(torch.load(path, 'cpu', weights_only=True)):
            if isinstance(value, torch.Tensor):
                sha.update(f'{key} {value.dtype} {tuple(value.shape)}'.encode())
                sha.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        yield path.parent.name if path.name == 'final.pth' else 'seam', sha.hexdigest()
    for kind in ('labels', 'scores'):
        made = {'/'.join(path.parts[-4:]): path for path in folder.glob(f'seam/**/{kind}/*')}
        content = [name.encode() + made[name].read_bytes() for name in sorted(made)]
        if made:
            yield f'pseudo-labels, {kind}', hashlib.sha256(b''.join(content)).hexdigest()


def compare(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Print a table of all runs, and return the first difference of each."""
    rows, differences = [['run', 'iterations', 'losses', 'tables', 'files']], []
    for name in dict.fromkeys([*before, *after]):
        a, b = before.get(name, {}), after.get(name, {})
        row = [name, str(len({*a.get('losses', ())} & {*b.get('losses', ())}))]
        found = []
        for part in rows[0][2:]:
            ours, theirs = dict(leaves(a.get(part, {}))), dict(leaves(b.get(part, {})))
            other = [
                f'{name}: {part} {key}: {ours.get(key, "-")!r}, {theirs.get(key, "-")!r}'
                for key in {**ours, **theirs}
                if ours.get(key, '-') != theirs.get(key, '-')
            ]
            row.append(f'{len(other)} DIFFER' if other else f'{len(ours)} equal')
            found += other[:1]
        rows.append(row)
        differences += found[:1]
    print(AsciiTable(rows).table)
    return differences


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest='command', required=True)
    recording = commands.add_parser('record', help='train with the code of a checkout')
    recording.add_argument('tree', type=Path)
    recording.add_argument('--out', type=Path, required=True)
    recording.add_argument('--force', action='store_true', help='write over --out')
    recording.add_argument('--only', nargs='+', choices=RUNS, default=list(RUNS), metavar='NAME')
    comparing = commands.add_parser('compare', help='exit status 1 if anything differs')
    comparing.add_argument('before', type=Path)
    comparing.add_argument('after', type=Path)
    args = parser.parse_args()
    if args.command == 'compare':
        found = compare(*(json.loads(path.read_text()) for path in (args.before, args.after)))
        sys.exit('\n'.join(['first differences, before and after:', *found]) if found else 0)
    if args.out.exists() and not args.force:
        parser.error(
            f'{args.out} exists already; name another --out, or write over it with --force'
        )
    runs, failed = {}, []
    for name in args.only:
        start = time.perf_counter()
        try:
            runs[name] = record(args.tree.resolve(), RUNS[name])
        except RuntimeError as error:
            failed.append(name)
            print(error)
        print(f'{name}: {time.perf_counter() - start:.1f} s', flush=True)
        args.out.write_text(json.dumps(runs, indent=0) + '\n')
    sys.exit(f'failed: {"; ".join(failed)}' if failed else 0)


if __name__ == '__main__':
    main()
