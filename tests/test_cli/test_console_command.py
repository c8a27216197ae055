"""The command ``incseg``: its help, its sub-commands, and what they import."""

import importlib
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from incseg.cli.comparing import CONVENTIONS
from incseg.cli.main import COMMANDS, GROUPS, function_of, help_of, main
from incseg.evaluation import conventions
from incseg.utils.rules import similar

ROOT = Path(__file__).parents[2]
HEAVY = ('torch', 'torchvision', 'mmengine', 'mmcv', 'numpy', 'cv2')


@pytest.fixture
def incseg(capsys):
    """Run the command in this process; returns (exit status, what it printed)."""

    def run(*arguments):
        try:
            main(arguments)
        except SystemExit as stop:
            return stop.code or 0, capsys.readouterr()
        return 0, capsys.readouterr()

    return run


@pytest.mark.parametrize(
    'arguments',
    [['--help'], ['list'], ['list', 'configs'], *([name, '--help'] for name in COMMANDS)],
    ids=' '.join,
)
def test_nothing_heavy_is_imported_for_help(tool_environment, arguments):
    """If it fails, the help takes seconds: torch is imported before the command knows its work."""
    code = (
        'import sys\nfrom incseg.cli.main import main\n'
        f'try:\n    main({arguments})\nexcept SystemExit:\n    pass\n'
        f'print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], env=tool_environment, capture_output=True, text=True
    )
    assert done.stderr.strip() == '[]' and done.stdout.startswith(
        ('usage: incseg ', 'methods (', 'configs (')
    )


def test_help_takes_less_than_half_a_second(tool_environment):
    """If it fails, somebody waits for the list of commands; the best of three tries counts."""
    code = (
        'import sys, time\nfrom incseg.cli.main import main\nmain(sys.argv[1:])\n'
        'print(time.process_time(), file=sys.stderr)'
    )
    for argument in ('--help', 'list'):
        tries = [
            subprocess.run(
                [sys.executable, '-c', code, argument],
                env=tool_environment,
                capture_output=True,
                text=True,
                check=True,
            )
            for _ in range(3)
        ]
        assert min(float(done.stderr) for done in tries) < 0.5


def test_every_command_has_a_line(incseg):
    """If it fails, a command is missing in the help, or its line says nothing."""
    for arguments in ([], ['--help'], ['help']):
        status, printed = incseg(*arguments)
        assert status == 0
        for name, command in COMMANDS.items():
            line = help_of(function_of(command)).splitlines()[0]
            assert f'  {name} ' in printed.out and line in printed.out and 20 < len(line) < 90
    assert len(COMMANDS) == sum(map(len, GROUPS.values())), 'a name stands in two groups'


def test_the_version(incseg):
    """If it fails, a report of a fault cannot name the version."""
    version = importlib.import_module('incseg').__version__
    assert incseg('--version')[1].out == f'incseg {version}\n'


def test_an_unknown_command_is_one_line(incseg):
    """If it fails, a typing mistake is a traceback, or nobody says the right name."""
    status, printed = incseg('trian', 'x.py')
    assert status == 2
    assert printed.err == (
        "error: 'trian' is no command; did you mean 'train'? (incseg --help lists all commands)\n"
    )
    assert similar('xyz', COMMANDS) is None and 'did you mean' not in incseg('xyz')[1].err


def test_a_mistake_within_a_command_is_one_line(incseg):
    """If it fails, a user's mistake is a traceback below a sub-command."""
    assert incseg('train', 'nothing.py')[0].startswith('error: no config at nothing.py')
    status, printed = incseg('train', 'a.py', '--epoch', '3')
    assert status == 2 and 'did you mean --epochs?' in printed.err


@pytest.mark.parametrize('file', sorted((ROOT / 'tools').glob('*.py')), ids=lambda path: path.name)
def test_a_tool_is_the_command(file, monkeypatch, capsys):
    """If it fails, ``tools/x.py`` and ``incseg x`` differ, or a tool has a logic of its own."""
    monkeypatch.setattr(sys, 'argv', [str(file), '--help'])
    with pytest.raises(SystemExit):
        runpy.run_path(str(file), run_name='__main__')
    own = capsys.readouterr().out.replace(f'usage: {file.name}', '')
    text = file.read_text()
    name = text.partition("run('")[2].partition("'")[0]
    with pytest.raises(SystemExit):
        main([name, '--help'])
    assert ' '.join(own.split()) == ' '.join(
        capsys.readouterr().out.replace(f'usage: incseg {name}', '').split()
    )
    assert len(text.splitlines()) < 15 and help_of(function_of(COMMANDS[name])) in text


def test_every_command_has_a_tool():
    """If it fails, a command works in an installation only, or a file is left over."""
    called = [
        file.read_text().partition("run('")[2].partition("'")[0]
        for file in (ROOT / 'tools').glob('*.py')
    ]
    assert sorted(called) == sorted({*COMMANDS} - {'list'})


def test_conventions_are_those_of_the_evaluation():
    """If it fails, ``--convention`` refuses one that there is, or takes one that there is not."""
    assert tuple(conventions.CONVENTIONS) == CONVENTIONS


def test_python_m_incseg_is_the_same(tool_environment):
    """If it fails, ``python -m incseg`` does not work where scripts are not on the path."""
    done = subprocess.run(
        [sys.executable, '-m', 'incseg', '--help'],
        env=tool_environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith('usage: incseg COMMAND')
