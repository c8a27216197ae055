"""The command line: what a user's mistake prints, and that a run works from another folder."""

import runpy
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
SHAPES = str(ROOT / 'configs/mib/bisenet_r18_shapes_4-1.py')
CAMVID = str(ROOT / 'configs/mib/bisenet_r18_camvid_6-5.py')
VOC = str(ROOT / 'configs/mib/bisenet_r101_15-1.py')


@pytest.fixture
def train(monkeypatch, tmp_path, capsys):
    """Run tools/train.py in this process; returns (exit status or message, output)."""

    def run(*arguments, tool='train'):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, 'argv', [f'tools/{tool}.py', *map(str, arguments)])
        try:
            runpy.run_path(str(ROOT / 'tools' / f'{tool}.py'), run_name='__main__')
        except SystemExit as stop:
            return stop.code, capsys.readouterr()
        return 0, capsys.readouterr()

    return run


def camvid(root, images=2, size=(24, 32)):
    """A CamVid-shaped folder of a few tiny pictures."""
    rng = np.random.default_rng(0)
    for split in ('train', 'val', 'test'):
        for kind in ('images', 'labels'):
            (root / kind / split).mkdir(parents=True)
        for i in range(images):
            image = rng.integers(0, 255, (*size, 3)).astype(np.uint8)
            cv2.imwrite(str(root / 'images' / split / f'{i}.jpg'), image)
            labels = np.arange(size[0] * size[1]).reshape(size) % 12
            Image.fromarray(labels.astype(np.uint8)).save(root / 'labels' / split / f'{i}.png')
    return root


TINY_CAMVID = [
    '--cfg-options',
    'pretrained=False',
    'batch_size=2',
    'epochs=1',
    'crop_size=(24,32)',
    'num_workers=0',
]


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['nowhere.py'], 'no config at nowhere.py'),
        (['.'], "config is '.', expected a .py file"),
        ([SHAPES, '--epochs', '-3'], 'epochs is -3'),
        ([SHAPES, '--cfg-options', 'epohcs=3'], "did you mean 'epochs'"),
        ([SHAPES, '--cfg-options', 'epochs'], "--cfg-options is 'epochs', expected KEY=VALUE"),
        ([SHAPES, '--steps', '7'], '--steps is 7, expected'),
        ([SHAPES, '--steps', '2'], 'step 2 starts from step 1, but there is no'),
        ([SHAPES, '--seed', '-1'], 'seed is -1'),
        ([SHAPES, '--launcher', 'pytorch'], 'torchrun'),
        ([CAMVID, '--data-root', 'gone'], "'gone' does not exist"),
        ([VOC, '--data-root', 'gone', '--cfg-options', 'pretrained=False'], 'PASCAL VOC 2012 site'),
        ([SHAPES, '--cfg-options', 'protocol.name=7-1'], 'base is 7'),
        ([SHAPES, '--cfg-options', 'protocol.class_order=[1,2,3,4,5,5]'], 'class_order'),
        ([SHAPES, '--cfg-options', 'protocol.class_order=[1,2,3,4,5,7]'], 'class_order'),
        ([SHAPES, '--cfg-options', 'epohcs=3', '--cfg-options', 'seed=4'], "did you mean 'epochs'"),
    ],
)
def test_mistakes(train, tmp_path, monkeypatch, arguments, message):
    """One line that names what is wrong; no traceback, nothing left behind."""
    monkeypatch.delenv('RANK', raising=False)
    code, _ = train(*arguments)
    assert str(code).startswith('error: ') and message in code and '\n' not in code
    assert list(tmp_path.iterdir()) == []


def test_unknown_option(train):
    """argparse says which option it does not know."""
    code, captured = train(SHAPES, '--epoch-count', '3')
    assert code == 2 and 'unrecognized arguments: --epoch-count' in captured.err


def test_empty_data_root(train, tmp_path):
    """A mount that failed leaves an empty folder: said as such."""
    (tmp_path / 'data').mkdir()
    code, _ = train(CAMVID, '--data-root', 'data')
    assert code.startswith('error: ') and 'data' in code and 'empty' in code


def test_camvid_is_empty_under_disjoint(train, tmp_path):
    """Every street image holds future classes: step 0 has no image, and the remedy is named."""
    camvid(tmp_path / 'data')
    code, _ = train(CAMVID, '--data-root', 'data', *TINY_CAMVID, 'protocol.setting=disjoint')
    assert "no training image in setting 'disjoint'" in code and 'overlap' in code
    assert not (tmp_path / 'work_dirs').exists()


@pytest.mark.parametrize('workers', [0, 1])
def test_unreadable_image(train, tmp_path, workers):
    """Found in a loader's worker or not: the file is named in one line."""
    root = camvid(tmp_path / 'data')
    (root / 'images/train/1.jpg').write_bytes(b'not a jpeg')
    code, _ = train(
        CAMVID, '--data-root', 'data', '--no-reuse', *TINY_CAMVID, f'num_workers={workers}'
    )
    assert code.startswith('error: image') and '1.jpg' in code and '\n' not in code


def test_mask_of_another_size(train, tmp_path):
    """Image and mask that do not belong together: both are named with their sizes."""
    root = camvid(tmp_path / 'data')
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(root / 'labels/train/0.png')
    code, _ = train(CAMVID, '--data-root', 'data', '--no-reuse', *TINY_CAMVID)
    assert code.startswith('error: size of label map') and "labels/train/0.png' is (8, 8)" in code
    assert 'expected (24, 32)' in code and 'images/train/0.jpg' in code


def test_label_id_out_of_range(train, tmp_path):
    """An id that the data set does not have is refused on the raw mask, with file and id."""
    root = camvid(tmp_path / 'data')
    Image.fromarray(np.full((24, 32), 77, np.uint8)).save(root / 'labels/train/1.png')
    code, _ = train(CAMVID, '--data-root', 'data', *TINY_CAMVID)
    assert code.startswith('error: ') and '1.png' in code and '77' in code


def test_camvid_and_test_tool(train, tmp_path):
    """The whole way on files: train, the table, test.py with the same numbers, pictures."""
    camvid(tmp_path / 'data')
    common = ['--data-root', 'data', *TINY_CAMVID]
    code, captured = train(CAMVID, '--work-dir', 'run', *common)
    assert code == 0 and 'mib on camvid 6-5 overlap' in captured.out
    row = next(line for line in captured.out.splitlines() if line.startswith('| 1 '))
    code, captured = train(
        CAMVID, 'run/step_1/final.pth', '--show-dir', 'shown', *common, tool='test'
    )
    assert code == 0 and row in captured.out
    code, captured = train(CAMVID, 'run/step_1/final.pth', tool='test')
    assert code == 0 and row in captured.out, 'training knows where the data were'
    assert captured.out.startswith('as in step_1/final.pth: crop_size = [24, 32] (not [360, 480])')
    assert '| Bicyclist' in captured.out
    assert len(list((tmp_path / 'shown').glob('*.png'))) == 2
    code, _ = train(CAMVID, '--work-dir', 'run', *common)
    assert 'already holds the ledger' in code and '--resume' in code
    code, captured = train(CAMVID, '--work-dir', 'run', '--resume', *common)
    assert code == 0


@pytest.mark.parametrize(
    ('content', 'message'),
    [(None, 'no checkpoint at'), (b'', 'is empty'), (b'PK\x03\x04' + bytes(50), 'damaged')],
)
def test_bad_checkpoint(train, tmp_path, content, message):
    """Missing, empty, cut short: one line."""
    if content is not None:
        (tmp_path / 'c.pth').write_bytes(content)
    code, _ = train(SHAPES, 'c.pth', tool='test')
    assert code.startswith('error: ') and message in code


@pytest.mark.parametrize('name', ['train', 'test'])
@pytest.mark.parametrize('chosen', [None, 'ACTIVE'])
def test_threads_sleep_while_they_wait(tool_environment, name, chosen):
    """Spinning threads made a step eight times slower on a machine that was busy besides."""
    code = (
        'import os, runpy, sys; import incseg.cli.main as cli\n'
        "cli.command_line = lambda *_: print(os.environ['OMP_WAIT_POLICY'])\n"
        f"runpy.run_path('tools/{name}.py', run_name='__main__'); "
        "assert 'torch' not in sys.modules, 'it was read before'"
    )
    environment = {**tool_environment, **({'OMP_WAIT_POLICY': chosen} if chosen else {})}
    done = subprocess.run(
        [sys.executable, '-c', code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == (chosen or 'PASSIVE')
