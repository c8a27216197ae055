"""The benchmarks run, and say of every target what became of it."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parent.parent / 'benchmarks'


def lines(*command: str) -> list[str]:
    """What a script prints of targets."""
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / command[0]), *command[1:]],
        capture_output=True,
        text=True,
        check=True,
    )
    return [line for line in done.stdout.splitlines() if line.startswith('target: ')]


@pytest.mark.parametrize(
    'value, bound, end',
    [
        (2.0, dict(at_least=2.0), '2x, at least 2x: met'),
        (1.9, dict(at_least=2.0), '1.9x, at least 2x: NOT MET'),
        (2.0, dict(at_most=2.0), '2x, at most 2x: met'),
        (2.1, dict(at_most=2.0), '2.1x, at most 2x: NOT MET'),
        (None, dict(at_least=2.0, because='no peer'), 'at least 2x: not measured, no peer'),
    ],
)
def test_target(value, bound, end, capsys, monkeypatch):
    """If it fails, a target that was missed, or never measured, reads as met."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from side_by_side import target

    target('speed', value, **bound)
    assert capsys.readouterr().out == f'target: speed: {end}\n'


def test_a_peer_that_is_missing():
    """If it fails, what was not compared with MMSegmentation disappears from the list."""
    found = lines('training.py', '--size', '64', '--batch', '1', '--rounds', '1')
    assert found and all(line.endswith('not measured, --peer was not given') for line in found)


@pytest.fixture
def gpu(monkeypatch):
    """The modules ``gpu`` and ``on_gpu.parts``, ``on_gpu.schedule`` of the benchmarks."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu
    from on_gpu import parts, schedule

    return gpu, parts, schedule


def test_commands_of_the_gpu(gpu):
    """If it fails, a script that is not there is called, or correctness does not come first."""
    _, parts, _ = gpu
    chosen = parts.parts('x', peer=True) + parts.more_parts('x', peer=True)
    for part in chosen:
        for command in filter(None, (part.command, part.toy)):
            if command[0] != '-m':
                assert Path(command[0]).is_file()
            elif command[1].startswith('on_gpu'):
                assert (BENCHMARKS / (command[1].replace('.', '/') + '.py')).is_file()
    assert len({part.name for part in chosen}) == len(chosen)
    names = [part.name for part in chosen]
    assert names[:4] == ['versions', 'tests', 'same step', 'repeated']
    assert [part.name for part in chosen if part.beside] == names[1:4]
    assert [part.name for part in chosen if part.missing] == ['voc']
    assert not any(part.missing for part in parts.parts('x', voc='data'))


def test_parts_end_in_time(gpu, tmp_path, capsys, monkeypatch):
    """If it fails, one part that hangs takes the minutes of all others, what was not run looks as
    if it had been, or results are lost when the machine goes."""
    module, parts, schedule = gpu
    monkeypatch.setattr(schedule, 'GRACE', 0.0)
    wait = 'import subprocess, sys, time; subprocess.Popen([sys.executable, "-c", "{0}"]); {0}'
    slow = ['-c', wait.format('import time; time.sleep(60)')]
    meet = (
        'import pathlib, time\n'
        'mine, other = (pathlib.Path(name) for name in ({!r}, {!r}))\n'
        'mine.touch()\n'
        'while not other.exists(): time.sleep(0.01)\n'
    )
    a, b = str(tmp_path / 'a'), str(tmp_path / 'b')
    said = 'print("target: x: 1x, at least 2x: NOT MET")'
    runs = [
        parts.Part('one', ['-c', meet.format(a, b)], 20, beside=True),
        parts.Part('two', ['-c', meet.format(b, a)], 20, beside=True),
        parts.Part('bad', ['-c', 'raise SystemExit(3)'], 20),
        parts.Part('said', ['-c', said], 20, toy=['-c', said.replace('NOT ', '')]),
        parts.Part('hangs', slow, 0.5),
        parts.Part('no data', ['-c', ''], 20, missing='--voc was not given'),
    ]
    plan = schedule.Schedule(tmp_path / 'out', 60)
    results = plan.run(runs)
    plan.end = time.monotonic() + 1
    plan.run([parts.Part('late', ['-c', ''], 20)])
    status = {result['part']: result['status'] for result in results}
    assert status == dict(zip(('one', 'two'), ('done', 'done'))) | {
        'bad': 'FAILED',
        'said': 'done',
        'hangs': 'too long',
        'no data': 'not run',
        'late': 'not run',
    }
    assert results[4]['seconds'] < 20
    lines = (tmp_path / 'out/results.jsonl').read_text().splitlines()
    assert [json.loads(line) for line in lines] == results
    shown = capsys.readouterr().out
    assert '-- late: not run, no time was left' in shown and 'NOT MET' in shown
    table = module.summary(results)
    assert '--voc was not given' in table and table.endswith('NOT MET')
    assert module.exit_status(results) == 1
    small = schedule.Schedule(tmp_path / 'toy', toy=True).run(runs[3:4])
    assert small[0]['targets'] == ['target: x: 1x, at least 2x: MET']


def test_status_of_the_gpu(gpu):
    """If it fails, a part that was not run, or a target that was not measured, counts as met."""
    status = gpu[0].exit_status
    met = dict(part='a', status='done', targets=['target: a: 2x, at least 1x: met'])
    unmeasured = dict(met, targets=['target: b: at least 1x: not measured, c'])
    assert status([met, met]) == 0
    assert status([met, unmeasured]) == status([met, dict(met, status='not run')]) == 1


def test_gpu_at_toy_size(tmp_path):
    """If it fails, a part does not run, and that is found out when a GPU is at hand."""
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / 'gpu.py'), '--device', 'cpu', '--toy']
        + ['--out', str(tmp_path), '--only', 'versions', 'same step', 'losses'],
        capture_output=True,
        text=True,
    )
    results = [json.loads(line) for line in (tmp_path / 'results.jsonl').read_text().splitlines()]
    assert [result['part'] for result in results] == ['versions', 'same step', 'losses']
    assert all(result['status'] == 'done' for result in results), done.stdout
    assert 'modules imported' in done.stdout
    assert all(line.endswith(': met') for line in results[1]['targets']) and results[1]['targets']


@pytest.mark.skipif(torch.cuda.is_available(), reason='it would measure for a quarter of an hour')
def test_no_gpu():
    """If it fails, the GPU's targets are printed from a CPU."""
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / 'gpu.py')], capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stderr == 'error: there is no GPU\n'
