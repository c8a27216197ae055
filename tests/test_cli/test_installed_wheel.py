"""An installed wheel works outside of the clone: command, configs, tools.

The wheel is built from the sdist, so both carry what they need.
"""

import importlib.util
import os
import shutil
import site
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
#: a training of seconds
TOY = [
    'data.train.length=16',
    'data.test.length=4',
    'data.train.size=32',
    'data.test.size=32',
    'crop_size=32',
    'batch_size=8',
    'num_workers=0',
    'protocol.name=5-1',
]


def run(command, folder):
    """Run a command without the checkout on the path; returns what it printed."""
    names = {key: value for key, value in os.environ.items() if key != 'PYTHONPATH'}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**names, 'OMP_NUM_THREADS': '1', 'INCSEG_CACHE_DIR': str(folder)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """Build sdist and wheel of a copy of the checkout, without the network."""
    for name, least in (('setuptools', (70, 1)), ('pip', (22, 3))):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f'{name} is not installed: no wheel can be built offline')
        if tuple(map(int, version(name).split('.')[:2])) < least:
            pytest.skip(f'{name} {version(name)} is too old to build or install a wheel offline')
    folder = tmp_path_factory.mktemp('wheel')
    source = folder / 'source'
    source.mkdir()
    for name in ('incseg', 'configs', 'tools', 'requirements'):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns('__pycache__'))
    for path in ROOT.iterdir():
        if path.is_file() and not path.name.startswith('.'):
            shutil.copy(path, source)
    build = f"from setuptools import build_meta; build_meta.build_sdist('{folder}')"
    run([sys.executable, '-c', build], source)
    (sdist,) = folder.glob('*.tar.gz')
    options = ['-q', '--no-deps', '--no-index', '--no-build-isolation']
    run([sys.executable, '-m', 'pip', 'wheel', *options, '-w', folder, sdist], folder)
    (file,) = folder.glob('*.whl')
    return file


@pytest.fixture(scope='module')
def installed(wheel, tmp_path_factory):
    """Install the wheel into an environment of its own; returns the folder of its scripts."""
    folder = tmp_path_factory.mktemp('environment')
    venv = [sys.executable, '-m', 'venv', '--system-site-packages', '--without-pip', folder]
    run(venv, folder)
    python = folder / 'bin/python'
    (packages,) = folder.glob('lib/python*/site-packages')
    # where this Python is an environment too, the new one sees the packages below it alone; a
    # path file brings these, but not the path files among them, such as that of a checkout
    (packages / 'others.pth').write_text('\n'.join(site.getsitepackages()) + '\n')
    pip = [sys.executable, '-m', 'pip', '--python', python, 'install', '-q', '--ignore-installed']
    run([*pip, '--no-deps', '--no-index', wheel], folder)
    where = 'import incseg; print(incseg.__file__)'
    assert run([python, '-c', where], folder).strip() == str(packages / 'incseg/__init__.py')
    return folder / 'bin'


def test_the_wheel_carries_configs_and_tools(wheel):
    """If it fails, an installation has no config, or a file that the checkout does not have."""
    names = {name for name in zipfile.ZipFile(wheel).namelist() if '/_data/' in name}
    there = {
        f'incseg/_data/{path.relative_to(ROOT)}'
        for name in ('configs', 'tools')
        for path in (ROOT / name).rglob('*')
        if path.is_file() and '__pycache__' not in path.parts
    }
    assert names == there and len(names) > 200


def test_list_and_names(installed, tmp_path):
    """If it fails, the installed command knows no config."""
    printed = run([installed / 'incseg', 'list'], tmp_path)
    assert '  mib/bisenet_r18_shapes_4-1 ' in printed and '  deeplabv3_lite0 ' in printed
    assert run([installed / 'python', '-m', 'incseg', 'list'], tmp_path) == printed


@pytest.fixture(scope='module')
def trained(installed, tmp_path_factory):
    """Train step 0 of a config of the library by its name; returns the folder and the table."""
    folder = tmp_path_factory.mktemp('work')
    options = ['--steps', '0', '--no-reuse', '--epochs', '1', '--cfg-options', *TOY]
    printed = run([installed / 'incseg', 'train', 'mib/bisenet_r18_shapes_4-1', *options], folder)
    assert 'mib on shapes 5-1 overlap: mIoU, %' in printed
    return folder, printed


def last_row(printed):
    """The cells of the last row of the last table."""
    return [cell.strip() for cell in printed.strip().splitlines()[-2].split('|')]


def test_a_test_prints_what_training_printed(installed, trained):
    """If it fails, who installed the wheel gets other numbers from a test, or none."""
    folder, printed = trained
    final = 'work_dirs/bisenet_r18_shapes_4-1/step_0/final.pth'
    tested = run([installed / 'incseg', 'test', final, '--work-dir', 'tested'], folder)
    assert last_row(tested) == last_row(printed) and last_row(tested)[1] == '0'


def test_predict(installed, trained):
    """If it fails, who installed the wheel cannot use what was trained."""
    folder, _ = trained
    drawn = np.random.default_rng(0).integers(0, 255, (40, 48, 3), np.uint8)
    cv2.imwrite(str(folder / 'photo.png'), drawn)
    final = 'work_dirs/bisenet_r18_shapes_4-1/step_0/final.pth'
    printed = run([installed / 'incseg', 'predict', final, 'photo.png'], folder)
    saved = 'saved    1 picture in predictions: labels, overlays, classes.json'
    assert printed.splitlines()[-1] == saved
    labels = Image.open(folder / 'predictions/labels/photo.png')
    assert labels.size == (48, 40) and labels.mode == 'P'


def test_a_matrix_finds_the_tools(installed, tmp_path):
    """If it fails, the runs of a matrix start no training where there is no clone."""
    command = ['matrix', 'mib/bisenet_r18_shapes_4-1', '--dry-run']
    assert 'incseg/_data/tools/train.py' in run([installed / 'incseg', *command], tmp_path)
