import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from incseg.engine import train_protocol
from incseg.engine.matrix import attempt as module
from incseg.engine.matrix.attempt import duration, reason
from incseg.engine.matrix.plan import MatrixRun
from incseg.engine.matrix.run_matrix import run_matrix
from incseg.errors import InvalidInputError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def runs(tiny, tmp_path):
    """FT and joint, two seeds each, on a protocol of two steps."""
    return [
        MatrixRun(
            str(ROOT / f'configs/{method}/bisenet_r18_shapes_4-1.py'),
            {},
            tiny(method, seed=seed, **{'protocol.name': '5-1'}),
            tmp_path / 'matrix',
        )
        for seed in (0, 1)
        for method in ('ft', 'joint')
    ]


@pytest.fixture
def lines():
    return []


@pytest.fixture
def in_process(monkeypatch, runs):
    """Train in this process instead of a subprocess; returns the titles of what was trained."""
    trained = []

    def run(command, log, environment, keep_open):
        work_dir = Path(command[command.index('--work-dir') + 1])
        matrix_run = next(run for run in runs if run.work_dir == work_dir)
        trained.append(matrix_run.title)
        work_dir.mkdir(parents=True, exist_ok=True)
        with log.open('a') as file:
            file.write('working\n')
            if environment.get('FAIL') == matrix_run.title:
                file.write('Traceback …\nerror: the disk is full\nsome last words\n')
                return SimpleNamespace(poll=lambda: 1)
        train_protocol(matrix_run.config, work_dir, resume='--resume' in command)
        return SimpleNamespace(poll=lambda: 0)

    monkeypatch.setattr(module, 'start_logged', run)
    return trained


def test_a_failure_and_a_second_attempt(runs, lines, in_process, monkeypatch, tmp_path):
    """A failed run stops no other and is told; the second attempt trains that one alone."""
    ft0, joint0, ft1, joint1 = (run.title for run in runs)
    monkeypatch.setenv('FAIL', joint0)
    assert run_matrix(runs, tmp_path / 'matrix', say=lines.append) == 1
    assert in_process == [ft0, joint0, ft1, joint1]
    assert lines[0] == f'[1/4] started {ft0}: see {runs[0].log}'
    assert lines[1].startswith(f'[1/4] done {ft0}: base ') and 'min' in lines[1]
    assert lines[3] == f'[2/4] failed {joint0}: the disk is full'
    assert '| ft ' in lines[-2] and lines[-1] == '1 of 4 runs failed'
    assert f'\nFailed: {joint0}: the disk is full' in lines[-2]
    monkeypatch.delenv('FAIL')
    lines.clear(), in_process.clear()
    assert run_matrix(runs, tmp_path / 'matrix', say=lines.append) == 0
    assert in_process == [joint0]
    assert lines[0] == f'[1/4] skipped {ft0}: done before, {runs[0].result("mib")}'
    rows = [
        line.split('|')[-2].strip()
        for line in lines[-1].splitlines()
        if line.startswith(('| ft', '| joint'))
    ]
    assert rows == ['2', '2'], 'both seeds of both are in the table'
    assert (tmp_path / 'matrix/comparison/comparison.csv').read_text().count('\n') == 3
    lines.clear(), in_process.clear()
    assert run_matrix(runs, tmp_path / 'matrix', say=lines.append, dry_run=True) == 0
    assert not in_process and all('] done ' in line for line in lines)


def test_another_config_is_refused(runs, lines, in_process, tiny, tmp_path):
    """Numbers of other settings neither count as this run's, nor enter its table."""
    train_protocol(runs[1].config, runs[1].work_dir, reuse=False)
    runs[1] = MatrixRun(
        runs[1].config_path,
        {},
        tiny('joint', seed=0, epochs=2, **{'protocol.name': '5-1'}),
        tmp_path / 'matrix',
    )
    assert run_matrix(runs[:2], tmp_path / 'matrix', say=lines.append) == 1
    assert 'failed joint' in lines[2] and 'started with epochs = 1, this config says 2' in lines[2]
    assert '| ft ' in lines[3] and '| joint' not in lines[3]
    assert lines[3].endswith(
        'not in the table: 1 of 2 work dirs were refused: they hold other runs'
    )


def test_nothing_but_refused_runs(runs, lines, in_process, tiny, tmp_path):
    """If it fails, "no run has begun" stands below a run that has begun with other settings."""
    train_protocol(runs[1].config, runs[1].work_dir, reuse=False)
    other = MatrixRun(
        runs[1].config_path,
        {},
        tiny('joint', seed=0, epochs=2, **{'protocol.name': '5-1'}),
        tmp_path / 'matrix',
    )
    assert run_matrix([other], tmp_path / 'matrix', say=lines.append) == 1
    assert lines[1] == 'no table: 1 of 1 work dirs were refused: they hold other runs'


def test_dry_run_touches_nothing(runs, lines, tmp_path):
    """--dry-run says each command and leaves no folder behind."""
    assert run_matrix(runs[:1], tmp_path / 'matrix', dry_run=True, say=lines.append) == 0
    assert lines[0].startswith(f'[1/1] start {runs[0].title}: python ')
    assert '--resume' in lines[0] and not (tmp_path / 'matrix').exists()


def test_two_runs_in_one_place(runs, tmp_path):
    """Twice the same config and seed would be one training under two names."""
    with pytest.raises(InvalidInputError, match='would both run in .*seed0: leave one out'):
        run_matrix([runs[0], *runs[:1]], tmp_path / 'matrix', dry_run=True)
    with pytest.raises(InvalidInputError, match='would both run in'):
        run_matrix(
            [runs[0], MatrixRun(runs[0].config_path, {}, runs[0].config, runs[0].folder)],
            tmp_path / 'matrix',
        )


def test_one_name_for_two_things(runs, tiny, tmp_path):
    """If it fails, FT and joint, or 1 and 2 epochs, are averaged as two seeds when all is trained.

    Seeds of a name, and the name on another protocol, are one row.
    """

    def named(name, method, seed, protocol='5-1', **changes):
        return MatrixRun(
            f'configs/{method}/bisenet_r18_shapes_4-1.py',
            {},
            tiny(method, seed=seed, **{'protocol.name': protocol}, **changes),
            tmp_path / 'm',
            name,
        )

    def dry(*chosen):
        run_matrix(chosen, tmp_path / 'm', dry_run=True, say=lambda line: None)

    first = named('x', 'ft', 0)
    dry(first, named('x', 'ft', 1), named('x', 'ft', 2, '4-1', epochs=2), named('y', 'joint', 0))
    with pytest.raises(
        InvalidInputError,
        match=(
            "configs/ft/.* and configs/joint/.* would both be the row 'x', but differ in method"
        ),
    ):
        dry(first, named('x', 'joint', 1, '4-1'))
    with pytest.raises(InvalidInputError, match="row 'x', but differ in epochs: give each a"):
        dry(first, named('x', 'ft', 1, epochs=2))
    with pytest.raises(InvalidInputError, match="row 'joint', but differ in method"):
        dry(runs[1], named('joint', 'ft', 1))
    dry(named(None, 'ft', 0), named(None, 'ft', 1, epochs=2))  # the table tells them apart


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_interrupted(runs, lines, monkeypatch, tmp_path, number):
    """Ctrl-C and SIGTERM stop the matrix, not only the run; the lock is given back."""

    def run(*arguments):
        os.kill(os.getpid(), number)

    monkeypatch.setattr(module, 'start_logged', run)
    for _ in range(2):
        lines.clear()
        with pytest.raises(KeyboardInterrupt):
            run_matrix(runs, tmp_path / 'matrix', say=lines.append)
        assert [line.split()[1] for line in lines] == ['started', 'interrupted']
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_reason(tmp_path):
    """The error of this attempt, not of the one before; without one, the last line."""
    log = tmp_path / 'x.log'
    log.write_text('error: old\n')
    start = log.stat().st_size
    assert reason(log, start, 1) == 'it printed nothing'
    log.write_text('error: old\nerror: new\n=====\ntorchrun says a lot\n')
    assert reason(log, start, 1) == 'new'
    log.write_text('error: old\nValueError: x\n\n')
    assert reason(log, start, -9) == 'killed by SIGKILL: ValueError: x'


def test_duration():
    """Minutes up to an hour, then hours."""
    assert [duration(s) for s in (4.6, 61, 3600 + 125)] == ['0 min 5 s', '1 min 1 s', '1 h 2 min']


def test_killed_and_started_again(tool_environment, tmp_path, toy_leaf, tiny):
    """kill -9 in the middle of a step: the same command goes on there, and ends in the table.

    The killed command's training ends with it, and its lock is not in the way.
    The result is that of a run without an interruption.
    """
    options = {
        'data.train.length': 32,
        'data.test.length': 6,
        'data.train.size': 32,
        'data.test.size': 32,
        'batch_size': 4,
        'epochs': 30,
        'protocol.name': 'offline',
        'schedule.checkpoint_interval': 2,
    }
    command = [
        sys.executable,
        'tools/run_matrix.py',
        toy_leaf('ft/bisenet_r18_shapes_4-1'),
        '--seeds',
        '5',
        '--work-dir',
        str(tmp_path / 'm'),
        '--no-reuse',
        '--cfg-options',
        *(f'{key}={value}' for key, value in options.items()),
    ]
    work_dir = tmp_path / 'm/ft/bisenet_r18_shapes_4-1_seed5'
    first = subprocess.Popen(command, cwd=ROOT, env=tool_environment, stdout=subprocess.PIPE)
    while not (work_dir / 'step_0/resume.pth').is_file():
        assert first.poll() is None, (work_dir / 'train.log').read_text()
    first.kill()
    first.wait()
    second = subprocess.run(
        command, cwd=ROOT, env=tool_environment, capture_output=True, text=True, timeout=500
    )
    assert second.returncode == 0, second.stderr
    out = second.stdout.splitlines()
    assert '] resumed ft/bisenet_r18_shapes_4-1_seed5' in out[0] and '] done ft/' in out[1]
    assert any(line.startswith('| ft ') for line in out)
    straight = train_protocol(
        tiny('ft', seed=5, **{**options, 'schedule.log_interval': 50}),
        tmp_path / 'straight',
        reuse=False,
    )
    final = straight.to_dict()['final']
    assert ', '.join(f'{k} {"-" if v is None else f"{v:.1f}"}' for k, v in final.items()) in out[1]
