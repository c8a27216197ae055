"""Command lines: options, one-line mistakes, interrupted pipes."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from incseg.cli.arguments import (
    ArgumentParser,
    add_common_arguments,
    add_config_arguments,
    int_argument,
    options_of,
)
from incseg.cli.errors import command_line, one_line
from incseg.errors import InvalidInputError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize('add', [add_config_arguments, add_common_arguments])
def test_options(add):
    """Every `--cfg-options` counts, options of their own hold over it, those not given do not."""
    parser = ArgumentParser()
    add(parser)
    arguments = ['--cfg-options', 'seed=1', 'data_root=a', '--cfg-options', 'epochs=[2,3]']
    assert options_of(parser.parse_args(arguments)) == dict(seed=1, data_root='a', epochs=[2, 3])
    args = parser.parse_args([*arguments, '--data-root', 'b'])
    assert options_of(args, {'seed': 0, 'epochs': None}) == dict(
        seed=0, data_root='b', epochs=[2, 3]
    )
    assert options_of(parser.parse_args([])) == {}
    with pytest.raises(InvalidInputError, match="--cfg-options is 'seed', expected KEY=VALUE"):
        options_of(parser.parse_args(['--cfg-options', 'seed']))


COMMAND_FILES = {*(ROOT / 'incseg/cli').glob('*.py')} - {ROOT / 'incseg/cli/arguments.py'}


@pytest.mark.parametrize('file', sorted(COMMAND_FILES), ids=lambda p: p.name)
def test_commands_share_the_options_of_a_config(file):
    """A command that parses them by itself would miss what is added for all."""
    assert "'--data-root'" not in file.read_text() and "'--cfg-options'" not in file.read_text()


def test_a_users_mistake_is_one_line():
    """No traceback for what the user can mend; exit status 1."""

    def main():
        raise InvalidInputError('x is 3, expected 4')

    with pytest.raises(SystemExit, match='error: x is 3, expected 4'):
        command_line(main)


def test_names_that_are_not_utf_8_are_printed():
    """If it fails, a result that names such a file is a traceback, and so is a mistake."""
    code = (
        'from incseg.cli.errors import command_line; from incseg.errors import UserError\n'
        'def main():\n    print("a\\udcff")\n    raise UserError("b\\udcff")\n'
        'command_line(main)'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (1, 'a\\udcff\n', 'error: b\\udcff\n')


def test_our_mistakes_keep_their_traceback():
    """A bug must not be dressed up as a user's mistake."""

    def main():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        command_line(main)


@pytest.mark.parametrize('name', ['log.txt', None])
def test_a_full_disk_is_one_line(name):
    """If it fails, a full disk is a traceback where another library's writer meets it."""

    def main():
        raise OSError(errno.ENOSPC, 'No space left on device', name)

    what = f"'{name}'" if name else 'a file'
    with pytest.raises(SystemExit, match=f'^error: cannot write {what}: No space left.*; --resume'):
        command_line(main)


def test_interrupted():
    """Said is what the tool's own --resume does; by default, that of a training."""

    def main():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit, match='^interrupted; --resume goes on from the last checkpoint'):
        command_line(main)
    with pytest.raises(SystemExit, match='^interrupted; whole files stay$'):
        command_line(main, 'whole files stay')


@pytest.mark.parametrize(
    ('arguments', 'unbuffered', 'status'),
    [
        ('tools/compare.py docs/results/shapes/mib_4-1.json --out OUT', '', 0),
        ('tools/compare.py docs/results/shapes/mib_4-1.json --out OUT', '1', 1),
        (
            'tools/run_matrix.py configs/ft/bisenet_r18_shapes_4-1.py --work-dir OUT --dry-run',
            '',
            1,
        ),
        ('tools/train.py --help', '', 0),
    ],
)
def test_nobody_reads_on(tool_environment, tmp_path, arguments, unbuffered, status):
    """`… | head` ends a tool without a traceback and without Python's complaint at exit.

    Whether the tool notices before its end, or only then, depends on Python's buffer.
    """
    command = arguments.replace('OUT', str(tmp_path / 'out')).split()
    done = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(tool_environment, PYTHONUNBUFFERED=unbuffered),
    )
    done.stdout.close()
    assert done.stderr.read() == ''
    assert done.wait() == status
    assert (tmp_path / 'out/comparison.csv').is_file() == ('compare' in arguments)


def test_another_broken_pipe_keeps_its_traceback():
    """A loader's worker that died is no reader who left."""

    def main():
        raise BrokenPipeError(errno.EPIPE, 'Broken pipe')

    with pytest.raises(BrokenPipeError):
        command_line(main)


def test_error_from_a_loaders_worker():
    """DataLoader wraps the message into a traceback; the line is taken out of it."""
    error = InvalidInputError(
        'Caught InvalidInputError in DataLoader worker process 0.\nOriginal Traceback (most '
        'recent call last):\n  File "x.py", line 3, in y\n'
        'incseg.errors.InvalidInputError: image a.jpg is cut short: 3 bytes\n'
    )
    assert one_line(error) == 'image a.jpg is cut short: 3 bytes'


@pytest.fixture
def parser():
    made = ArgumentParser(prog='tool')
    made.add_argument('config')
    made.add_argument('--epochs', type=int_argument)
    made.add_argument('-s', '--slide', type=int_argument, nargs='+', metavar='PIXELS')
    made.add_argument('--out', metavar='DIR')
    return made


@pytest.mark.parametrize(
    'arguments, message',
    [
        (['c.py', '--epochs', 'abc'], "argument --epochs: 'abc' is no whole number"),
        (['c.py', '--epochs', '1.5'], "argument --epochs: '1.5' is no whole number"),
        (['c', '--epochs'], 'argument --epochs: expected one argument'),
        (['c', '--out'], 'argument --out: expected one argument, as in --out DIR'),
        (
            ['c', '--slide', '--out', 'x'],
            'argument -s/--slide: expected at least one argument, as in --slide PIXELS',
        ),
        ([], 'the following arguments are required: config'),
        (['c.py', '--epoch', '3'], 'unrecognized arguments: --epoch 3; did you mean --epochs?'),
        (['c.py', '--epoch=3', 'x'], 'unrecognized arguments: --epoch=3 x; did you mean --epochs?'),
        (['c.py', '--nothing'], 'unrecognized arguments: --nothing'),
        (['c.py', 'more'], 'unrecognized arguments: more'),
    ],
)
def test_one_line(parser, capsys, arguments, message):
    """If it fails, the mistake stands below ten lines of usage, or an abbreviation is taken."""
    with pytest.raises(SystemExit) as stop:
        parser.parse_args(arguments)
    assert stop.value.code == 2
    assert capsys.readouterr().err == f'error: {message} (--help lists all arguments)\n'


def test_right_arguments(parser):
    """If it fails, right arguments are refused."""
    assert parser.parse_args(['c.py', '--epochs', '-3']).epochs == -3
