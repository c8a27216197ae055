"""Several processes: one that is killed stops the others, and another number of them goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from incseg.utils.files import is_running

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = {
    'data.train.length': 160,
    'data.test.length': 6,
    'data.train.size': 32,
    'data.test.size': 32,
    'batch_size': 4,
    'epochs': 40,
    'num_workers': 1,
    'protocol.name': '5-1',
    'schedule.checkpoint_interval': 2,
}


def start(folder: Path, processes: int, port: int) -> subprocess.Popen:
    """Start a training, or go on with it."""
    options = [f'{key}={value}' for key, value in OPTIONS.items()]
    config = str(folder / 'mib_5-1.py')
    Path(config).write_text(
        f"_base_ = ['{ROOT}/configs/mib/bisenet_r18_shapes_4-1.py']\n"
        "custom_imports = dict(imports=['faults.toy_runs'])\n"
        "model = dict(backbone=dict(_delete_=True, type='ToyStages'), auxiliary_head=None)\n"
    )
    command = ['bash', str(ROOT / 'tools/dist_train.sh'), config, str(processes)]
    if processes == 1:
        command = [sys.executable, str(ROOT / 'tools/train.py'), config]
    return subprocess.Popen(
        [*command, '--work-dir', 'run', '--no-reuse', '--resume', '--cfg-options', *options],
        cwd=folder,
        env=dict(
            os.environ,
            PORT=str(port),
            PYTHON=sys.executable,
            OMP_NUM_THREADS='1',
            PYTHONPATH=f'{ROOT}:{ROOT / "benchmarks"}',
        ),
        stdout=(folder / 'log').open('ab'),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def family(process: int) -> list[int]:
    """Return the numbers of all processes that a process has started, directly or not."""
    parents = {}
    for path in Path('/proc').glob('[0-9]*/stat'):
        try:
            fields = path.read_text().rpartition(')')[2].split()
        except OSError:
            continue
        parents[int(path.parent.name)] = int(fields[1])
    found = [process]
    for parent in found:
        found += [child for child, above in parents.items() if above == parent]
    return found[1:]


def workers(process: int) -> list[int]:
    """Return the processes of a group that train: the children of the launcher."""
    own = family(process)
    return [pid for pid in own if b'train.py' in Path(f'/proc/{pid}/cmdline').read_bytes()]


def wait_for(path: Path, process: subprocess.Popen, seconds: float = 240) -> None:
    """Wait until a file is there.

    Raises:
        RuntimeError: The process ended before, or it takes too long.
    """
    end = time.monotonic() + seconds
    while not path.is_file():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f'{path} did not appear')
        time.sleep(0.05)


def gone_after(pids: list[int], seconds: float = 60) -> float | None:
    """Return after how many seconds all processes have ended; None if some have not."""
    begin = time.monotonic()
    while any(map(is_running, pids)):
        if time.monotonic() - begin > seconds:
            return None
        time.sleep(0.1)
    return time.monotonic() - begin


def several_processes(folder: Path) -> tuple[list[str], int]:
    """Kill a worker, then the launcher, of a training in two processes; finish it in one.

    Args:
        folder: An empty folder.

    Returns:
        Lines, and the number of faults.
    """
    lines, faults = [], 0
    for number, victim in enumerate(('a worker', 'the launcher')):
        group = start(folder, 2, 29600 + number)
        wait_for(folder / f'run/step_{number}/resume.pth', group)
        everyone = [group.pid, *family(group.pid)]
        os.kill(workers(group.pid)[-1] if number == 0 else group.pid, signal.SIGKILL)
        group.wait()
        seconds = gone_after(everyone)
        faults += seconds is None
        for pid in filter(is_running, everyone):
            os.kill(pid, signal.SIGKILL)
        after = 'never' if seconds is None else f'after {seconds:.1f} s'
        lines.append(f'two processes, {victim} killed: the others ended {after}')
    last = start(folder, 1, 0)
    status = last.wait()
    steps = json.loads((folder / 'run/results.json').read_text())['steps'] if not status else []
    faults += len(steps) != 2
    lines.append(f'resumed in one process: exit status {status}, {len(steps)} of 2 steps')
    return lines, faults
