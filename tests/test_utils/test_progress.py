"""The progress line: one on a terminal, few elsewhere."""

import io
import re
import sys
import time

from incseg.utils.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_off_a_terminal(tmp_path, scan, capsys, make_masks):
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
    bar = Progress(3, 'work', enabled=False)
    bar.update(3)
    bar.close()
    assert capsys.readouterr() == ('', '')
