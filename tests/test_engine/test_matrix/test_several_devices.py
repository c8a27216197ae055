"""Runs on several devices at once: who waits, who goes first, what a failure and Ctrl-C do."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from incseg.engine.matrix import attempt as module
from incseg.engine.matrix import device_queue
from incseg.engine.matrix.devices import Device
from incseg.engine.matrix.plan import MatrixRun, base_key
from incseg.engine.matrix.run_matrix import run_matrix
from incseg.evaluation import Ledger
from tests.conftest import TINY

ROOT = Path(__file__).parents[3]
TWO = (Device('cpu 1', ''), Device('cpu 2', ''))


@pytest.fixture
def trainings(monkeypatch):
    """Trainings that a test ends by hand; ``running`` maps titles to what ``poll`` returns."""
    running, order = {}, []

    def start(command, log, environment, keep_open):
        title = str(Path(*Path(command[command.index('--work-dir') + 1]).parts[-2:]))
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text('error: it broke\n')
        running[title] = None
        order.append((title, environment['CUDA_VISIBLE_DEVICES']))
        return SimpleNamespace(poll=lambda: running[title])

    monkeypatch.setattr(module, 'start_logged', start)
    return SimpleNamespace(running=running, order=order)


def played(monkeypatch, *moves):
    """Make each wait of the queue the next move; the last one ends what still runs."""
    left = list(moves)
    clock = SimpleNamespace(sleep=lambda _: left.pop(0)())
    monkeypatch.setattr(device_queue, 'time', clock)
    return left


def test_runs_with_one_base_step(make):
    """If it fails, runs that share a base step train it twice, or others wait for nothing."""
    key = base_key(make('ft', seed=0))
    other = {'protocol.name': '4-2'}
    assert key == base_key(make('mib', seed=0)) == base_key(make('ft', seed=0, **other))
    others = [make('ft', seed=1), make('joint', seed=0), make('ft', seed=0, epochs=2)]
    assert len({key, *map(base_key, others)}) == 4
    started = make('ft')
    started.start = 'final.pth'
    assert base_key(started) is None


def test_who_needs_the_same_base_step_waits(make, trainings, monkeypatch, tmp_path):
    """The second run with a base step waits until the first has it; one of another seed starts.

    A run that failed has no base step: the next one trains it.
    """
    runs = [make('ft', seed=0), make('mib', seed=0), make('ft', seed=1), make('plop', seed=0)]
    ft0, mib0, ft1, plop0 = (run.title for run in runs)
    at_work = []

    def look(**ends):
        def move():
            at_work.append([t for t, status in trainings.running.items() if status is None])
            for title in ends.get('fail', ()):
                trainings.running[title] = 1
            monkeypatch.setattr(MatrixRun, 'has_base', lambda run: run in ends.get('base', ()))

        return move

    left = played(
        monkeypatch,
        look(fail=[ft1]),
        look(fail=[ft0]),
        look(base=[runs[1]]),
        look(fail=[mib0, plop0]),
    )
    lines, ended = [], []
    failed = run_matrix(
        runs,
        tmp_path / 'matrix',
        devices=TWO,
        say=lines.append,
        on_end=lambda run, failure: ended.append((run.title, failure)),
    )
    assert failed == 4 and not left
    assert at_work == [[ft0, ft1], [ft0], [mib0], [mib0, plop0]]
    assert ended == [(title, 'it broke') for title in (ft1, ft0, mib0, plop0)]
    assert lines[:2] == [
        f'[1/4] started {ft0} on cpu 1: see {runs[0].log}',
        f'[3/4] started {ft1} on cpu 2: see {runs[2].log}',
    ]
    assert lines[2] == f'[3/4] failed {ft1} on cpu 2: it broke'


def test_no_reuse_waits_for_nobody(make, trainings, monkeypatch, tmp_path):
    """With --no-reuse each run trains its own base step, and none waits."""
    runs = [make('ft'), make('mib')]

    def end():
        assert len(trainings.running) == 2
        trainings.running.update(dict.fromkeys(trainings.running, 1))

    played(monkeypatch, end)
    run_matrix(runs, tmp_path / 'matrix', devices=TWO, reuse=False, say=lambda line: None)


def test_ctrl_c_ends_every_training(make, monkeypatch, tmp_path):
    """If it fails, Ctrl-C ends the command and leaves trainings on the devices."""
    runs, lines = [make('ft'), make('joint')], []
    script = "trap 'echo stopped; exit 0' INT; echo $$; while :; do sleep 0.05; done"
    monkeypatch.setattr(MatrixRun, 'command', lambda run, *_: ['bash', '-c', script])

    def interrupt(_):
        if all(run.log.is_file() and run.log.read_text() for run in runs):
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(device_queue, 'time', SimpleNamespace(sleep=interrupt))
    with pytest.raises(KeyboardInterrupt):
        run_matrix(runs, tmp_path / 'matrix', devices=TWO, say=lines.append)
    assert [line.split()[1] for line in lines] == ['started'] * 2 + ['interrupted'] * 2
    for run in runs:
        process, said = run.log.read_text().split()
        assert said == 'stopped' and not Path(f'/proc/{process}').exists()


def test_two_at_a_time_share_one_base_step(tool_environment, tmp_path, toy_leaf):
    """The command on two CPUs: two methods, one base step, one table."""
    leaves = [toy_leaf(f'{method}/bisenet_r18_shapes_4-1') for method in ('ft', 'mib')]
    options = {**TINY, 'base_steps_dir': tmp_path / 'base', 'protocol.name': '5-1'}
    done = subprocess.run(
        [sys.executable, '-m', 'incseg', 'matrix', '--devices', 'cpu,cpu', *leaves]
        + ['--work-dir', str(tmp_path / 'm')]
        + ['--cfg-options', *(f'{key}={value}' for key, value in options.items())],
        cwd=ROOT,
        env=tool_environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = sorted((tmp_path / 'm').rglob(Ledger.FILE))
    assert first.parent.parent.name == 'ft' and second.parent.parent.name == 'mib'
    steps = [Ledger.read_file(path)['steps'] for path in (first, second)]
    assert ['reused_from' in entries[0] for entries in steps] == [False, True]
    assert 'started ft/bisenet_r18_shapes_4-1_seed42 on cpu 1: ' in done.stdout
    assert '\n| ft ' in done.stdout and '\n| mib ' in done.stdout
