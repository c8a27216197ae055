"""Several processes: the same rows, a progress line, and an orderly end after an error."""

import io
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from incseg.errors import InvalidInputError, MissingFileError
from incseg.protocols import ClassIndex
from incseg.protocols.label_scan import available_cores, parallel_scan
from incseg.utils.progress import Progress

ROOT = Path(__file__).resolve().parents[2]
CLASSES = 7


def read_mask(path):
    with Image.open(path) as mask:
        return np.asarray(mask)


def read_slowly_and_fail(path, log, bad, error):
    if path == bad:
        raise error
    time.sleep(0.02)
    with Path(log).open('a') as lines:
        lines.write(f'{path}\n')
    return read_mask(path)


def test_workers_change_nothing(tmp_path, scan, make_masks, brute_force, calls):
    """If it fails, the number of processes changes the table or its cache file."""
    files = make_masks(tmp_path / 'labels', 150, seed=3)
    one = scan(files, num_workers=1, cache_dir=tmp_path / 'one')
    assert sorted(calls()) == files
    two = scan(files, num_workers=2, cache_dir=tmp_path / 'two')
    assert sorted(calls()) == files
    assert (one.presence == two.presence).all() and (one.presence == brute_force(files)).all()
    caches = [next((tmp_path / name).iterdir()) for name in ('one', 'two')]
    assert caches[0].name == caches[1].name
    assert caches[0].read_bytes() == caches[1].read_bytes()


def test_scan_inside_a_daemon(tmp_path, make_masks):
    """Such a process (a data loader's worker) may not start children; it must read by itself."""
    files = make_masks(tmp_path / 'labels', 70)
    arguments = (files, read_mask, CLASSES, tmp_path / 'cache', 2)
    context = multiprocessing.get_context('fork')
    process = context.Process(target=ClassIndex.scan, args=arguments, daemon=True)
    process.start()
    process.join(30)
    assert process.exitcode == 0


@pytest.mark.parametrize('workers', [1, 2])
@pytest.mark.parametrize(
    'error', [InvalidInputError('0003.png: not a mask'), MissingFileError('0003.png: gone')]
)
def test_errors_of_the_reader_arrive_soon(tmp_path, scan, log, workers, error, make_masks):
    """If it fails, an error of a reader is lost, late or of another kind."""
    files = make_masks(tmp_path / 'labels', 10) * 8
    bad = str(tmp_path / 'labels' / 'bad.png')
    Path(bad).write_bytes(b'')
    read = partial(read_slowly_and_fail, log=str(log), bad=bad, error=error)
    with pytest.raises(type(error)) as caught:
        scan([*files, bad], read, num_workers=workers)
    assert type(caught.value) is type(error) and str(caught.value) == str(error)
    assert not multiprocessing.active_children()
    assert not (tmp_path / 'cache').exists()  # half an index is not cached


def test_error_stops_the_pool_within_a_file(tmp_path, scan, log, make_masks, calls):
    """320 files at 20 ms: without a stop signal the chunks already handed out would be read."""
    files = make_masks(tmp_path / 'labels', 320)
    error = InvalidInputError('bad')
    read = partial(read_slowly_and_fail, log=str(log), bad=files[0], error=error)
    with pytest.raises(InvalidInputError, match=r'^bad$'):
        scan(files, read, num_workers=2)
    assert len(calls()) < 64


@pytest.mark.parametrize('workers', [0, 1, 2])
def test_progress_adds_up(tmp_path, make_masks, brute_force, workers):
    """If it fails, the progress line ends before or after the last file."""
    files = make_masks(tmp_path / 'labels', 70)
    steps = []
    rows = parallel_scan(files, read_mask, CLASSES, workers, steps.append)
    assert sorted(steps) == [6, 32, 32]
    assert (rows == brute_force(files)).all()


def test_threads_beside_the_pool_cause_no_warning(tmp_path, make_masks):
    """Python 3.12+ warns of fork in such a process, at every scan of a user with a data loader."""
    files = make_masks(tmp_path / 'labels', 70)
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            parallel_scan(files, read_mask, CLASSES, 2, lambda count: None)
            warnings.warn('use of fork', DeprecationWarning, stacklevel=1)
        assert [str(warning.message) for warning in caught] == ['use of fork']  # heard again
    finally:
        ended.set()
        thread.join()


def test_cores():
    """If it fails, a scan starts no process or more than the machine has cores."""
    assert 1 <= available_cores() <= os.cpu_count()


INTERRUPTED = """
import os, sys, time
import numpy as np
from incseg.protocols import ClassIndex

def read(path):
    os.write(1, b'reading\\n')  # in one piece, whichever worker it is
    time.sleep(0.1)
    return np.zeros(4, np.uint8)

if __name__ == '__main__':
    try:
        ClassIndex.scan(sys.argv[2:], read, 5, sys.argv[1], num_workers=3, progress=False)
    except KeyboardInterrupt:
        print('stopped')
"""


@pytest.mark.skipif(os.name != 'posix', reason='sends SIGINT to a process group')
def test_ctrl_c_stops_all_processes(tmp_path, make_masks):
    """If it fails, Ctrl-C leaves workers behind, or each of them prints a traceback."""
    script = tmp_path / 'script.py'
    script.write_text(INTERRUPTED)
    files = make_masks(tmp_path / 'labels', 70)  # chunks of 32, 32 and 6: one worker gets idle
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / 'cache'), *files],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        start_new_session=True,
    )
    assert process.stdout.readline() == 'reading\n'
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)
    start = time.monotonic()
    out, err = process.communicate(timeout=120)  # ends when the workers closed their streams too
    assert time.monotonic() - start < 2  # a chunk takes 3.2 s
    assert out.endswith('stopped\n') and err == ''  # no worker prints a traceback
    assert out.count('reading') < 60
    assert not (tmp_path / 'cache').exists()


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_off_a_terminal(tmp_path, scan, capsys, make_masks):
    """If it fails, a log file gets a line per chunk instead of one every 10 %."""
    files = make_masks(tmp_path / 'labels', 10) * 64
    scan(files, progress=True, description='VOC labels')
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10  # 20 chunks, a line every 10 %
    pattern = r'VOC labels: (\d+)/640, [\d.]+ images/s, ETA \d+:\d\d'
    done = [int(re.fullmatch(pattern, line)[1]) for line in lines]
    assert done == list(range(64, 641, 64))
    scan(files, progress=True)  # from the cache
    assert capsys.readouterr().err == ''


def test_progress_on_a_terminal(tmp_path, scan, monkeypatch, make_masks):
    """If it fails, a terminal gets many lines, or is redrawn too often."""
    stderr = Terminal()
    monkeypatch.setattr(sys, 'stderr', stderr)
    files = make_masks(tmp_path / 'labels', 10) * 64
    start = time.monotonic()
    scan(files, progress=True)
    seconds = time.monotonic() - start
    text = stderr.getvalue()
    assert text.count('\n') == 1 and text.endswith('\n')
    assert 2 <= text.count('\r') <= 2 + 5 * seconds
    assert 'class index: 640/640' in text.split('\r')[-1]


def test_slow_work(monkeypatch, capsys):
    """Half an image a second is not "0 images/s"."""
    now = iter([0.0, 2.0, 2.1])
    monkeypatch.setattr(time, 'monotonic', lambda: next(now))
    bar = Progress(30, 'work', enabled=True)
    bar.update(3)
    bar.update(27)
    assert capsys.readouterr().err.splitlines() == [
        'work: 3/30, 1.5 images/s, ETA 0:18',
        'work: 30/30, 14 images/s, ETA 0:00',
    ]


def test_disabled_it_says_nothing(capsys):
    """If it fails, a silent progress line prints."""
    bar = Progress(3, 'work', enabled=False)
    bar.update(3)
    bar.close()
    assert capsys.readouterr() == ('', '')


def test_cores_are_those_of_this_process(monkeypatch):
    """If it fails, a container with two of 64 cores starts 64 workers that wait for each other."""
    allowed = set(range((os.cpu_count() or 1) + 1))
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: allowed, raising=False)
    assert available_cores() == len(allowed)
    monkeypatch.delattr(os, 'sched_getaffinity')
    assert available_cores() == (os.cpu_count() or 1)


def test_time_left_in_minutes(monkeypatch, capsys):
    """If it fails, a scan of two minutes is announced as 1:58 or as 120 minutes."""
    now = iter([0.0, 2.0])
    monkeypatch.setattr(time, 'monotonic', lambda: next(now))
    Progress(18, 'work', enabled=True).update(3)
    assert capsys.readouterr().err == 'work: 3/18, 1.5 images/s, ETA 0:10\n'
    now = iter([0.0, 20.0])
    Progress(21, 'work', enabled=True).update(3)
    assert capsys.readouterr().err == 'work: 3/21, 0.1 images/s, ETA 2:00\n'
