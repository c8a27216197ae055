import os
import signal
import subprocess
import sys
import time

import pytest

from incseg.engine.matrix import child_process
from incseg.engine.matrix.child_process import start_logged, stop

PARENT = """
import os, sys
from pathlib import Path
from incseg.engine.matrix.child_process import start_logged
start_logged(['sh', '-c', 'echo $$; sleep 60'], Path(sys.argv[1]), dict(os.environ)).wait()
"""


def ends(pid, seconds=10.0):
    """Whether a process is gone, or a zombie, within some seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with open(f'/proc/{pid}/stat') as file:
                if file.read().rpartition(')')[2].split()[0] == 'Z':
                    return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def wait_for(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'it did not happen'
        time.sleep(0.02)


def test_output_and_status(tmp_path):
    """Both streams are appended to the log; a signal is a negative status, as subprocess has it."""
    log, environment = tmp_path / 'a' / 'x.log', dict(os.environ, WORD='hello')
    command = ['sh', '-c', 'echo $WORD; echo bad >&2; exit 3']
    assert start_logged(command, log, environment).wait() == 3
    assert start_logged(['sh', '-c', 'kill -9 $$'], log, environment).wait() == -signal.SIGKILL
    assert log.read_text() == 'hello\nbad\n'


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='PR_SET_PDEATHSIG is of Linux')
def test_ends_with_its_parent(tmp_path, tool_environment):
    """kill -9 of the parent must not leave a training behind that writes into the work dir."""
    log = tmp_path / 'x.log'
    parent = subprocess.Popen([sys.executable, '-c', PARENT, str(log)], env=tool_environment)
    wait_for(lambda: log.is_file() and log.read_text().endswith('\n'), 60.0)
    child = int(log.read_text())
    assert not ends(child, 0.2)
    parent.kill()
    parent.wait()
    assert ends(child)


@pytest.mark.parametrize(
    ('script', 'told'),
    [
        ("trap 'echo stopped; exit 0' INT; echo $$; while :; do sleep 0.05; done", True),
        ("trap '' INT; echo $$; while :; do sleep 0.05; done", False),
    ],
)
def test_stop_reaches_the_whole_group(tmp_path, monkeypatch, script, told):
    """The command may end by itself; one that does not listen is killed; nothing lives on."""
    monkeypatch.setattr(child_process, 'GRACE', 5.0 if told else 0.3)
    logs = [tmp_path / f'{i}.log' for i in range(2)]
    running = [start_logged(['bash', '-c', script], log, dict(os.environ)) for log in logs]
    for log in logs:
        wait_for(lambda log=log: log.is_file() and log.read_text().endswith('\n'))
    begin = time.monotonic()
    stop(*running)
    assert time.monotonic() - begin < 5, 'all have the same seconds, not one after another'
    for process, log in zip(running, logs):
        first, *rest = log.read_text().split()
        assert ends(int(first)) and rest == (['stopped'] if told else [])
        assert process.returncode is not None
