"""The live line: on a terminal only, from the start, without a line of the log between."""

import io
import logging
import re
import sys

import pytest

from incseg.engine import train_protocol
from incseg.engine.hooks import ProgressHook
from incseg.engine.runner.step_runner import StepRunner
from incseg.utils import live_line
from incseg.utils.live_line import LiveLine, numbers_text, on_terminal


class Terminal(io.StringIO):
    """Standard output that says that it is a terminal."""

    def isatty(self):
        return True

    @property
    def lines(self):
        """What was drawn, without the codes of the terminal."""
        plain = re.sub(r'\x1b\[[0-9;?]*[A-Za-z]', '', self.getvalue())
        return [line.strip() for line in re.split(r'[\r\n]+', plain) if line.strip()]


@pytest.fixture
def terminal(monkeypatch):
    """Make standard output a terminal; called in the test, as pytest sets its own before that."""
    monkeypatch.setenv('TERM', 'xterm')
    monkeypatch.setenv('COLUMNS', '120')
    monkeypatch.setattr(live_line, 'PAUSE', 0.0)

    def begin():
        output = Terminal()
        monkeypatch.setattr(sys, 'stdout', output)
        return output

    return begin


def test_a_training_on_a_terminal(tiny, tmp_path, terminal):
    """If it fails, a terminal shows no progress, the log's lines besides, or another step."""
    output = terminal()
    train_protocol(tiny(), tmp_path / 'run', steps=[0, 1], reuse=False)
    live = [line for line in output.lines if re.match(r'step \d of 2 .*\d+/\d+', line)]
    assert re.match(r'step 0 of 2 .* 0/4$', live[0]), 'it is there before the first iteration'
    numbers = r'loss \d+\.\d{3}  \d+\.\d images/s  \d+:\d\d left'
    for k, last in ((0, '4/4'), (1, '2/2')):
        mine = [line for line in live if line.startswith(f'step {k} ')]
        assert [f' {i}/{last[2]} ' in ' '.join(mine) for i in range(1, int(last[2]) + 1)]
        assert re.search(f'{last} {numbers}$', mine[-1]), mine[-1]
    assert any(line.startswith('evaluating step 1 of 2') for line in output.lines)
    assert 'Iter(train)' not in output.getvalue() and 'mmengine' not in output.getvalue()
    logs = ''.join(file.read_text() for file in (tmp_path / 'run').rglob('*.log'))
    assert logs.count('Iter(train)') == 4, 'the log file keeps its lines'


def test_an_error_ends_the_line(tiny, tmp_path, terminal, monkeypatch):
    """If it fails, the cursor stays hidden after an error, and later lines of the log are lost."""
    hooks = []

    def stop(self, runner, *_, **__):
        hooks.append((self, list(runner.logger.handlers)))
        raise KeyboardInterrupt

    monkeypatch.setattr(ProgressHook, '_update_line', stop)
    output = terminal()
    with pytest.raises(KeyboardInterrupt):
        train_protocol(tiny(), tmp_path / 'run', reuse=False)
    [(hook, handlers)] = hooks
    assert hook._line is None and output.getvalue().endswith('\x1b[?25h')
    shown = [handler.level for handler in handlers if type(handler) is logging.StreamHandler]
    assert shown == [logging.INFO] and StepRunner.train.__doc__


@pytest.mark.parametrize(
    ('numbers', 'text'),
    [
        ((0.41249, 14.56, 3725.4), 'loss 0.412  14.6 images/s  1:02:05 left'),
        ((2.0, None, 9.6), 'loss 2.000  0:10 left'),
        ((None, None, None), ''),
    ],
)
def test_numbers_of_the_line(numbers, text):
    """If it fails, an unknown number is shown, or a time is another one."""
    assert numbers_text(*numbers) == text


def test_the_line_is_not_drawn_too_often(terminal, monkeypatch):
    """If it fails, fast iterations spend their time on the terminal, or the end is not shown."""
    monkeypatch.setattr(live_line, 'PAUSE', 1e6)
    output = terminal()
    with LiveLine('step 0 of 1', 500) as line:
        for done in range(1, 501):
            line.update(done)
    drawn = {re.search(r'(\d+)/500', each)[1] for each in output.lines if '/500' in each}
    assert drawn == {'0', '1', '500'}


@pytest.mark.parametrize('kind', ['dumb', 'file'])
def test_nothing_is_drawn_elsewhere(terminal, monkeypatch, kind):
    """If it fails, a log file is full of codes that only a terminal understands."""
    terminal()
    assert on_terminal()
    if kind == 'dumb':
        monkeypatch.setenv('TERM', 'dumb')
    else:
        monkeypatch.setattr(sys, 'stdout', io.StringIO())
    assert not on_terminal()
