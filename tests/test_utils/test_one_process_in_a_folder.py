"""Locks: two runs in one folder would train one step twice."""

import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from incseg.errors import InvalidInputError, SaveError
from incseg.utils import locks as module
from incseg.utils.locks import DirLock, exclusive_folder

HOLD = """
import subprocess, sys, time
from pathlib import Path
from incseg.utils.locks import DirLock
with DirLock(Path(sys.argv[1])) as lock:
    child = subprocess.Popen(['sleep', '60'], pass_fds=[lock.fd] if sys.argv[2:] else [])
    print(child.pid, flush=True)
    time.sleep(60)
"""


def hold(folder, environment, *share):
    process = subprocess.Popen(
        [sys.executable, '-c', HOLD, str(folder), *share],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    return process, int(process.stdout.readline())


def test_second_process_is_kept_out(tmp_path, tool_environment):
    """Two matrices in one folder would train one run twice; the one that is there is named.

    A process that was killed leaves nothing in the way; one that it started and
    handed the lock to, and that still works, does.
    """
    process, child = hold(tmp_path / 'a', tool_environment, 'share')
    try:
        with (
            pytest.raises(InvalidInputError, match=f'in use by process {process.pid}'),
            DirLock(tmp_path / 'a', patience=0),
        ):
            pass
        process.kill()
        process.wait()
        with (
            pytest.raises(InvalidInputError, match='or by one that it started'),
            DirLock(tmp_path / 'a', patience=0),
        ):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
    with DirLock(tmp_path / 'a', patience=5):
        assert (tmp_path / 'a/.lock').read_text() == f'{os.getpid()}\n'
    with DirLock(tmp_path / 'a', patience=0):
        pass


def test_folder_that_cannot_be(tmp_path):
    """A file where the folder should be: one line."""
    (tmp_path / 'file').touch()
    with pytest.raises(SaveError, match=r'cannot write .*file/\.lock'), DirLock(tmp_path / 'file'):
        pass


ENTER = """
import sys
from pathlib import Path
from incseg.utils.locks import exclusive_folder
with exclusive_folder(Path(sys.argv[1])):
    print('in', flush=True)
    sys.stdin.readline()
"""


def test_waits_until_the_other_has_left(tmp_path, tool_environment, monkeypatch, capsys):
    """If it fails, two experiments train one SEAM twice, or the second stops with an error."""
    monkeypatch.setattr(module, 'INTERVAL', 0.05)
    other = subprocess.Popen(
        [sys.executable, '-c', ENTER, str(tmp_path / 'f')],
        env=tool_environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert other.stdout.readline() == 'in\n'
        timer = threading.Timer(1.0, lambda: (other.stdin.write('\n'), other.stdin.flush()))
        timer.start()
        with exclusive_folder(tmp_path / 'f'):
            assert not timer.is_alive(), 'not before it has left'
        assert capsys.readouterr().out == (
            f'{tmp_path / "f"} is in use by process {other.pid}: waiting until it is ready\n'
        )
    finally:
        other.kill()


def test_workers_do_not_keep_it(tmp_path):
    """A loader's workers inherit the open file; with it they would keep the lock, and a run that
    comes back to its own SEAM would wait for ever."""
    with exclusive_folder(tmp_path):
        worker = multiprocessing.get_context('fork').Process(target=time.sleep, args=(60,))
        worker.start()
    try:
        with DirLock(tmp_path, patience=0):
            assert worker.is_alive()
    finally:
        worker.kill()
        worker.join()


def test_is_left_after_an_error(tmp_path):
    """An experiment that fails does not keep the others out."""
    with pytest.raises(ZeroDivisionError), exclusive_folder(tmp_path):
        1 / 0  # noqa: B018
    with DirLock(tmp_path, patience=0):
        pass


def test_no_locks_here(tmp_path, monkeypatch):
    """A file system without locks is no reason not to train."""

    def attempt(self):
        raise SaveError('cannot lock f/.lock: Function not implemented')

    monkeypatch.setattr(DirLock, 'attempt', attempt)
    with (
        pytest.warns(UserWarning, match='not implemented: another run might work'),
        exclusive_folder(tmp_path),
    ):
        pass


def test_the_name_of_before():
    """If it fails, a script written for 0.1 stops at its import."""
    sys.modules.pop('incseg.engine.alone_in', None)
    with pytest.warns(DeprecationWarning, match='is now incseg.utils.locks'):
        old = importlib.import_module('incseg.engine.alone_in')
    assert old.alone_in is exclusive_folder
