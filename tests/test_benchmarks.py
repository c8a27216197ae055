"""The benchmarks run, and say of every target what became of it."""

import json
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
import torch

from incseg.engine.matrix.devices import Device
from incseg.engine.matrix.plan import MatrixRun
from tests.common.test_methods import BASES, toy

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
        (None, dict(at_most=2.0, because='no', asked=False), 'at most 2x: not asked for, no'),
    ],
)
def test_target(value, bound, end, capsys, monkeypatch):
    """If it fails, a target that was missed, or never measured, reads as met."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from side_by_side import target

    target('speed', value, **bound)
    assert capsys.readouterr().out == f'target: speed: {end}\n'


def test_every_ledger_of_a_table_is_kept_as_its_run_ends(tmp_path, monkeypatch, tiny):
    """If it fails, a table of days is lost when its command is stopped, or failures are hidden."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import result_runs

    monkeypatch.setattr(result_runs, 'RESULTS', tmp_path / 'results')
    runs = [
        MatrixRun(f'configs/{method}/x.py', {}, tiny(method), tmp_path / 'work')
        for method in ('ft', 'joint')
    ]
    kept, why = result_runs.ledger_path(runs[0], 't'), result_runs.failure_path(runs[1], 't')
    places = [Device('cpu 1', ''), Device('cpu 2', '')]

    def run_matrix(given, folder, *, devices, on_end, say):
        assert (given, devices) == (runs, places)
        runs[0].work_dir.mkdir(parents=True)
        ledger = BENCHMARKS.parent / 'docs/results/shapes/ft_4-1.json'
        shutil.copy(ledger, runs[0].work_dir / 'results.json')
        on_end(runs[0], None)
        assert json.loads(kept.read_text())['method'] == 'ft', 'not at the end of all'
        on_end(runs[1], 'the disk is full')
        return 1

    monkeypatch.setattr(result_runs, 'run_matrix', run_matrix)
    assert result_runs.train(runs, tmp_path / 'work', 't', places) == 1
    assert json.loads(why.read_text())['reason'] == 'the disk is full'
    assert all(result_runs.is_settled(run, 't', again=False) for run in runs)
    assert not result_runs.is_settled(runs[1], 't', again=True)


def test_a_peer_that_is_missing():
    """If it fails, what was not compared with MMSegmentation disappears from the list."""
    found = lines('training.py', '--size', '64', '--batch', '1', '--rounds', '1')
    assert found and all(line.endswith('not asked for, --peer was not given') for line in found)


@pytest.fixture
def gpu(monkeypatch):
    """The modules ``gpu`` and ``on_gpu.parts``, ``on_gpu.schedule`` of the benchmarks."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu
    from on_gpu import parts, schedule

    return gpu, parts, schedule


def results_of(folder):
    """The results that a call wrote, after the line of its start."""
    lines = (folder / 'results.jsonl').read_text().splitlines()
    start, *results = [json.loads(line) for line in lines]
    assert start.keys() == {'started', 'seconds'}
    return results


def test_results_come_and_stay(gpu, tmp_path):
    """If it fails, what a quick part found waits for its slow neighbour, and is gone with it; or a
    second call with ``--only`` wipes out the results of the first."""
    _, parts, schedule = gpu
    file, seen = tmp_path / 'results.jsonl', tmp_path / 'seen'
    waits = (
        'import pathlib, time\n'
        f'file, seen = pathlib.Path({str(file)!r}), pathlib.Path({str(seen)!r})\n'
        'while "quick" not in file.read_text(): time.sleep(0.01)\n'
        'seen.write_text(file.read_text())\n'
    )
    slow = parts.Part('slow', ['-c', waits], 60, beside=True)
    quick = parts.Part('quick', ['-c', ''], 60, beside=True)
    schedule.Schedule(tmp_path).run([slow, quick])
    assert '"quick"' in seen.read_text()
    before = file.read_text()
    schedule.Schedule(tmp_path).run([quick])
    assert file.read_text().startswith(before) and len(file.read_text()) > len(before)


def test_time_that_is_kept(gpu, tmp_path):
    """If it fails, long trainings take the minutes that the training step needs."""
    _, parts, schedule = gpu
    first = parts.Part('first', ['-c', ''], 300)
    last = parts.Part('last', ['-c', ''], 300, kept=90)
    plan = schedule.Schedule(tmp_path, 100)
    assert [result['status'] for result in plan.run([first, last])] == ['not run', 'done']
    assert next(part for part in parts.parts('x') if part.name == 'training').kept >= 45


@pytest.mark.parametrize('step, far', [(0, 0.0), (2, 3.5)])
def test_scores_of_the_ledger(gpu, step, far, tmp_path, capsys, monkeypatch):
    """If it fails, a GPU that learns nothing looks as if it did."""
    from on_gpu import shapes

    ledger = json.loads(shapes.LEDGER.read_text())
    ledger['steps'][step]['plop']['all'] -= far
    (tmp_path / 'results.json').write_text(json.dumps(ledger))
    monkeypatch.setattr(sys, 'argv', ['shapes', str(tmp_path)])
    monkeypatch.setattr(subprocess, 'run', lambda command: subprocess.CompletedProcess(command, 0))
    shapes.main()
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 3
    assert [line.endswith(': met') for line in said] == [k != step or not far for k in range(3)]


def test_one_by_one(gpu, capsys):
    """If it fails, a method that fails ends the others, or is forgotten."""
    from side_by_side import one_by_one

    with pytest.raises(SystemExit, match='FAILED: a'):
        one_by_one('ab', lambda name: print(name, 1 / (name == 'b')))
    said = capsys.readouterr().out
    assert 'ZeroDivisionError' in said and said.endswith('b 1.0\n')


@pytest.mark.parametrize(
    'wait, each', [('_read', 0), ('after an iteration', 1), ('before an iteration', 1)]
)
def test_waits_of_an_iteration(gpu, wait, each, tmp_path, monkeypatch):
    """If it fails, the last line of the log, or torch's word that this mode is a prototype, counts
    as a wait of an iteration; or a wait after other hooks, or before the next batch, does not."""
    from on_gpu import trainings, waits

    from incseg.engine import train_protocol
    from incseg.engine.hooks.run import IterationSeedHook, LossLogHook, SafeCheckpointHook

    owner, name = {
        '_read': (LossLogHook, '_read'),
        'after an iteration': (SafeCheckpointHook, 'after_train_iter'),
        'before an iteration': (IterationSeedHook, 'before_train_iter'),
    }[wait]
    original = getattr(owner, name)

    def waiting(self, *args, **kwargs):
        if wait != '_read' or args[0].iter == args[0].max_iters - 1:  # as on a GPU
            warnings.warn(waits.WAIT)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(waits, 'CUDA', True)
    prototype = 'Synchronization debug mode is a prototype feature'
    monkeypatch.setattr(torch.cuda, 'set_sync_debug_mode', lambda mode: warnings.warn(prototype))
    monkeypatch.setattr(owner, name, waiting)
    counter = waits.Counter()
    monkeypatch.setattr(trainings.Watch, 'after', counter.after)
    config = toy(next(base for base in BASES if base.stem == 'mib'), tmp_path / 'base_steps')
    config.custom_hooks = dict(watch=dict(type='Watch'))
    train_protocol(config, tmp_path / 'run', range(2))
    counter.close()
    assert counter.counts == [each], 'of four iterations the third'


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
    seconds = {part.name: part.limit for part in chosen}
    beside = max(seconds[name] for name in names[1:4])
    kept = sum(part.kept for part in chosen)
    assert seconds['versions'] + beside + seconds['waits'] + kept <= 8 * 60, 'correctness fits'
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
    says_and_hangs = f'{said}; import time; time.sleep(60)'
    monkeypatch.delenv('PYTHONUNBUFFERED', raising=False)
    runs = [
        parts.Part('one', ['-c', meet.format(a, b)], 20, beside=True),
        parts.Part('two', ['-c', meet.format(b, a)], 20, beside=True),
        parts.Part('bad', ['-c', 'raise SystemExit(3)'], 20),
        parts.Part('said', ['-c', said], 20, toy=['-c', said.replace('NOT ', '')]),
        parts.Part('hangs', slow, 0.5),
        parts.Part('no data', ['-c', ''], 20, missing='--voc was not given'),
        parts.Part('says and hangs', ['-c', says_and_hangs], 10),
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
        'no data': 'not asked for',
        'says and hangs': 'too long',
        'late': 'not run',
    }
    assert results[4]['seconds'] < 20
    assert results[6]['targets'] == results[3]['targets'], 'what it said before its limit'
    assert results_of(tmp_path / 'out') == results
    shown = capsys.readouterr().out
    assert '-- late: not run, no time was left' in shown and 'NOT MET' in shown
    table = module.summary(results)
    assert '--voc was not given' in table and table.endswith('NOT MET')
    assert module.exit_status(results) == 1
    small = schedule.Schedule(tmp_path / 'toy', toy=True).run(runs[3:4])
    assert small[0]['targets'] == ['target: x: 1x, at least 2x: MET']


def test_status_of_the_gpu(gpu):
    """If it fails, a part that was not run, or a target that was not measured, counts as met; or
    what needs an option that was left out makes the whole fail."""
    status = gpu[0].exit_status
    met = dict(part='a', status='done', targets=['target: a: 2x, at least 1x: met'])
    unmeasured = dict(met, targets=['target: b: at least 1x: not measured, c'])
    left_out = dict(met, targets=['target: b: at least 1x: not asked for, c'])
    assert status([met, left_out, dict(met, status='not asked for', targets=[])]) == 0
    assert status([met, unmeasured]) == status([met, dict(met, status='not run')]) == 1


def test_gpu_at_toy_size(tmp_path):
    """If it fails, a part does not run, and that is found out when a GPU is at hand."""
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / 'gpu.py'), '--device', 'cpu', '--toy']
        + ['--out', str(tmp_path), '--only', 'versions', 'same step', 'losses'],
        capture_output=True,
        text=True,
    )
    results = results_of(tmp_path)
    assert [result['part'] for result in results] == ['versions', 'same step', 'losses']
    assert all(result['status'] == 'done' for result in results), done.stdout
    assert 'modules imported' in done.stdout
    met = [line for line in results[1]['targets'] if line.endswith(': met')]
    assert len(met) == len(results[1]['targets']) == 6, 'MiB, LwF, PLOP: losses and gradients'


@pytest.mark.skipif(torch.cuda.is_available(), reason='it would measure for a quarter of an hour')
def test_no_gpu():
    """If it fails, the GPU's targets are printed from a CPU."""
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / 'gpu.py')], capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stderr == 'error: there is no GPU\n'
