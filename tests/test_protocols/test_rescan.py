"""Masks that were replaced without a trace are read anew where a user asks for it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from incseg.cli.arguments import ArgumentParser, add_rescan_argument
from incseg.cli.main import main
from incseg.protocols.class_index import RESCAN, PresenceCache


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    monkeypatch.setenv(RESCAN, '0')


@pytest.fixture
def replaced(masks, scan, calls):
    """Masks of equal names, sizes and times, and other classes than in the cache."""
    for path in masks:
        Image.fromarray(np.full((2, 2), 1, np.uint8)).save(path)
    scan(masks)
    for path in masks:
        state = os.stat(path)
        content = Path(path).read_bytes()
        Image.fromarray(np.full((2, 2), 2, np.uint8)).save(path)
        assert os.stat(path).st_size == len(content)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    calls()
    return masks


def test_rescan(replaced, scan, calls):
    """If it fails, a training selects images by masks that are no longer there."""
    assert scan(replaced).presence[:, 1].all(), 'the cache does not notice it'
    parser = ArgumentParser()
    add_rescan_argument(parser)
    parser.parse_args([])
    assert not calls() and not scan(replaced).presence[:, 2].any()
    parser.parse_args(['--rescan'])
    for _ in range(3):  # read once, however often the data set is built
        assert scan(replaced).presence[:, 2].all()
    assert len(calls()) == len(replaced)
    parser.parse_args(['--rescan'])
    scan(replaced)
    assert len(calls()) == len(replaced), 'asked again, read again'


def test_processes_that_are_started_later(tmp_path, monkeypatch):
    """Trainings of a matrix take what the first of them scanned, and nothing older."""
    rows = np.ones((2, 3), np.bool_)
    cache = PresenceCache('key', tmp_path)
    cache.save(rows)
    code = (
        'import sys, numpy; from incseg.protocols.class_index import PresenceCache; '
        'print(PresenceCache("key", sys.argv[1]).load((2, 3)) is not None)'
    )

    def used(time):
        monkeypatch.setenv(RESCAN, repr(time))
        command = [sys.executable, '-c', code, str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    changed = os.stat(cache.path).st_mtime
    assert used(changed - 1) == 'True' and used(changed + 1) == 'False'


@pytest.mark.parametrize(
    'name',
    ['eval-pseudo-labels', 'make-pseudo-labels', 'matrix', 'show-pseudo-labels', 'train']
    + ['affinity', 'seam', 'test'],
)
def test_commands_that_read_the_index(name, capsys):
    """If it fails, this command has no way to a new index but the removal of the cache."""
    with pytest.raises(SystemExit):
        main([name, '--help'])
    assert '--rescan ' in capsys.readouterr().out
