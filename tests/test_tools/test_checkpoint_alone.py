"""Command lines that take a checkpoint, and need no config for it."""

import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from incseg.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
FORMATS = ROOT / 'tests/formats'


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with files of both formats; the parts of their network can be imported there."""
    for number in (0, 1):
        (tmp_path / f'run/step_{number}').mkdir(parents=True)
        shutil.copyfile(FORMATS / f'format_{number}.pth', tmp_path / f'run/step_{number}/final.pth')
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(FORMATS))

    def forget():
        sys.modules.pop('toy_parts', None)
        MODELS.module_dict.pop('KeptBackbone', None)

    forget()
    yield tmp_path
    forget()


@pytest.fixture
def tool(here, monkeypatch, capsys):
    """Run a tool in this process; returns its error, '' without one, and what it printed."""

    def run(name, *arguments):
        capsys.readouterr()
        monkeypatch.setattr(sys, 'argv', [name, *map(str, arguments)])
        try:
            runpy.run_path(str(ROOT / f'tools/{name}.py'), run_name='__main__')
        except SystemExit as end:
            return str(end.code), capsys.readouterr().out
        return '', capsys.readouterr().out

    return run


def test_evaluated_without_its_config(tool, here):
    """If it fails, a checkpoint that was copied alone cannot be tested, or to other numbers.

    The order of options and arguments is free, as it was with two arguments.
    """
    file = 'run/step_1/final.pth'
    error, alone = tool('test', '--import', 'toy_parts', file)
    assert not error and '| 1    | cross       | 12.5 |  50.0 | 20.0 |' in alone
    assert (here / 'work_dirs/toy/test_step_1.json').is_file()
    error, given = tool('test', FORMATS / 'toy.py', '--work-dir', 'other', file)
    assert not error and given == alone
    scale = 'other than in step_1/final.pth: image_scale = 1.0 .not 0.5.; without them the numbers'
    with pytest.warns(UserWarning, match=scale):
        error, other = tool(
            'test', file, '--import', 'toy_parts', '--cfg-options', 'image_scale=1.0'
        )
    assert not error and other != alone


def test_nothing_is_imported_unasked(tool):
    """If it fails, a checkpoint runs a module that happens to lie on the path, or says it badly."""
    for name, *arguments in (
        ('test', 'run/step_1/final.pth'),
        ('show_runs', 'x.png', '--runs', 'a=run/step_1/final.pth'),
    ):
        assert tool(name, *arguments)[0] == (
            'error: step_1/final.pth needs KeptBackbone of toy_parts, which is not imported; if '
            "you trust it: --import toy_parts, in Python imports=['toy_parts']"
        )


def test_version_0_1_in_one_line(here, tool_environment):
    """If it fails, a warning comes with a line of our code, or the numbers are others."""
    done = subprocess.run(
        [sys.executable, ROOT / 'tools/test.py', FORMATS / 'toy.py', 'run/step_0/final.pth'],
        env={**tool_environment, 'PYTHONPATH': f'{tool_environment["PYTHONPATH"]}:{FORMATS}'},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count('\n') == 1 and done.stderr.startswith('warning: checkpoint run/step_0')
    assert '| 1    | cross       | 12.5 |  50.0 | 20.0 |' in done.stdout


def test_version_0_1_without_a_config(tool):
    """If it fails, the user is not told what is missing."""
    with pytest.warns(UserWarning, match='of incseg 0.1'):
        error, _ = tool('test', 'run/step_0/final.pth')
    assert error.endswith('name the config of its training too')


def test_runs_are_shown_without_a_config(tool, here):
    """If it fails, a picture of runs shows them with the settings of another one."""
    runs = ['--runs', 'one=run/step_1/final.pth', '--images', '0', '2', '--import', 'toy_parts']
    assert not tool('show_runs', 'alone.png', *runs)[0]
    assert not tool('show_runs', FORMATS / 'toy.py', 'given.png', *runs)[0]
    one, other = (cv2.imread(str(here / f'{name}.png')) for name in ('alone', 'given'))
    assert one is not None and (one == other).all()


def test_a_config_in_the_place_of_the_checkpoint():
    """If it fails, who forgets the checkpoint reads that the config is damaged."""
    done = subprocess.run(
        [sys.executable, 'tools/test.py', 'configs/mib/bisenet_r18_shapes_4-1.py'],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and 'is a config, expected a checkpoint too' in done.stderr
