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


def run(command, folder, **environment):
    """Run a command without the checkout on the path; returns what it printed."""
    names = {key: value for key, value in os.environ.items() if key != 'PYTHONPATH'}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**names, 'OMP_NUM_THREADS': '1', **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """Build sdist and wheel of a copy of the checkout, without the network."""
    if importlib.util.find_spec('setuptools') is None or importlib.util.find_spec('pip') is None:
        pytest.skip('setuptools or pip is not installed: no wheel can be built offline')
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


def test_train_test_and_predict(installed, tmp_path):
    """If it fails, who installed the wheel cannot train, test or predict."""
    incseg = installed / 'incseg'
    options = ['--cfg-options', *TOY]
    cache = dict(INCSEG_CACHE_DIR=str(tmp_path / 'cache'))
    train = [incseg, 'train', 'mib/bisenet_r18_shapes_4-1', '--epochs', '1', *options]
    printed = run(train, tmp_path, **cache)
    assert 'mib on shapes 5-1 overlap: mIoU, %' in printed
    folder = tmp_path / 'work_dirs/bisenet_r18_shapes_4-1'
    final = folder / 'step_1/final.pth'
    tested = run([incseg, 'test', final, '--work-dir', 'tested'], tmp_path, **cache)
    numbers = printed.strip().splitlines()[-2]
    assert numbers.startswith('| 1 ') and numbers in tested
    drawn = np.random.default_rng(0).integers(0, 255, (40, 48, 3), np.uint8)
    cv2.imwrite(str(tmp_path / 'photo.png'), drawn)
    printed = run([incseg, 'predict', final, 'photo.png'], tmp_path)
    assert printed.splitlines()[-1] == (
        'saved    1 picture in predictions: labels, overlays, classes.json'
    )
    labels = Image.open(tmp_path / 'predictions/labels/photo.png')
    assert labels.size == (48, 40) and labels.mode == 'P'
    matrix = ['matrix', 'mib/bisenet_r18_shapes_4-1', '--dry-run']
    assert 'incseg/_data/tools/train.py' in run([incseg, *matrix], tmp_path, **cache)
