"""The benchmarks run, and say of every target what became of it."""

import subprocess
import sys
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


def test_gpu_targets(monkeypatch):
    """If it fails, a script that is not there is called, or an unmeasured target counts as met."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from gpu import commands, exit_status

    for command in commands('x', True):
        assert command[0] == '-m' or Path(command[0]).is_file()
    met, unmeasured = 'target: a: 2x, at least 1x: met', 'target: b: at least 1x: not measured, c'
    assert exit_status([met, met], []) == 0
    assert exit_status([met, unmeasured], []) == exit_status([met], ['FAILED: d']) == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason='it would measure for a quarter of an hour')
def test_no_gpu():
    """If it fails, the GPU's targets are printed from a CPU."""
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / 'gpu.py')], capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stderr == 'error: there is no GPU\n'
