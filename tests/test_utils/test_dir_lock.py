import os
import signal
import subprocess
import sys

import pytest

from incseg.errors import InvalidInputError, SaveError
from incseg.utils.locks import DirLock

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
