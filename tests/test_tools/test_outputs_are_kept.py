"""Every tool keeps what is there, refuses an input as output, and takes names of any bytes."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
CAMVID = ROOT / 'configs/mib/bisenet_r18_camvid_6-5.py'
ODD = os.fsdecode(b'bild_\xff')
OPTIONS = [
    '--cfg-options',
    'pretrained=False',
    'batch_size=2',
    'epochs=1',
    'crop_size=(24,32)',
    'num_workers=1',
    'schedule.lr.base=0.0001',  # noise, and one iteration: no network to speak of
]


def camvid(root):
    """A CamVid-shaped folder, whose names are not UTF-8."""
    rng = np.random.default_rng(0)
    for split in ('train', 'val', 'test'):
        for kind in ('images', 'labels'):
            (root / kind / split).mkdir(parents=True)
        for i in range(2):
            image = rng.integers(0, 255, (24, 32, 3)).astype(np.uint8)
            Image.fromarray(image).save(root / 'images' / split / f'{ODD}{i}.png')
            labels = np.arange(24 * 32).reshape(24, 32) % 12
            Image.fromarray(labels.astype(np.uint8)).save(root / f'labels/{split}/{ODD}{i}.png')


def contents(*folders):
    files = (path for folder in folders for path in Path(folder).rglob('*') if path.is_file())
    return {path: path.read_bytes() for path in files}


def test_train_test_and_show(tool, tmp_path):
    """If it fails, names that are not UTF-8 end a training or a tool, or a tool writes over files
    of the user's: test.py --show-dir, show_runs.py, compare.py."""
    data, run = tmp_path / os.fsdecode(b'data_\xff'), tmp_path / os.fsdecode(b'run_\xff')
    camvid(data)
    common = ['--data-root', data, *OPTIONS]
    status, output = tool('train', CAMVID, '--work-dir', run, *common)
    assert status == 0, status
    final = run / 'step_1/final.pth'
    before = contents(data, run)

    show = ['test', CAMVID, final, '--work-dir', 'tested', *common, '--show-dir']
    assert tool(*show, 'shown')[0] == 0
    assert sorted(os.listdir('shown')) == [f'{ODD}0.png', f'{ODD}1.png']
    first = contents('shown')
    status, _ = tool(*show, 'shown')
    assert 'exists already (2 of 2 are there): nothing was written' in status
    Path('shown', f'{ODD}0.png').write_bytes(b'mine')
    assert tool(*show, 'shown', '--force')[0] == 0 and contents('shown') == first
    status, _ = tool(*show, data / 'images/test', '--force')
    assert "expected another than the data set's" in status and '\n' not in status
    Path('linked').mkdir()
    os.link(data / f'images/train/{ODD}1.png', f'linked/{ODD}1.png')
    assert 'exists already' in tool(*show, 'linked')[0]

    draw = ['--runs', f'{ODD}={final}', '--images', 0, *common]
    assert tool('show_runs', CAMVID, f'{ODD}.png', *draw)[0] == 0
    assert 'exists already' in tool('show_runs', CAMVID, f'{ODD}.png', *draw)[0]
    assert tool('show_runs', CAMVID, f'{ODD}.png', *draw, '--force')[0] == 0
    picture = data / f'images/test/{ODD}0.png'
    status, _ = tool('show_runs', CAMVID, picture, *draw, '--force')
    assert 'is the input: nothing was written' in status
    assert 'no ending of a picture' in tool('show_runs', CAMVID, final, *draw, '--force')[0]

    for _ in range(2):  # its own tables are written anew
        status, output = tool('compare', f'{ODD}={run}', '--out', f'{ODD}_table')
        assert status == 0 and 'written to bild_' in output.out
    assert r'| bild_\udcff |' in Path(f'{ODD}_table/comparison.md').read_text()
    Path('ledger').mkdir()
    Path('ledger/comparison.csv').write_bytes((run / 'results.json').read_bytes())
    status, _ = tool('compare', 'ledger/comparison.csv', '--out', 'ledger')
    assert "output 'ledger/comparison.csv' is the input" in status
    assert contents(data, run) == before


def test_converted_weights(tool, tmp_path):
    """If it fails, a mistyped output replaces the downloaded weights, or others."""
    (tmp_path / 'a.params').write_bytes(b'downloaded')
    (tmp_path / 'w.pth').write_bytes(b'mine')
    status, _ = tool('convert_resnet38_params', 'a.params', 'a.params', '--force')
    assert "output 'a.params' is the input" in status
    assert 'exists already' in tool('convert_resnet38_params', 'a.params', 'w.pth')[0]
    assert 'no .params file' in tool('convert_resnet38_params', 'a.params', 'w.pth', '--force')[0]
    assert (tmp_path / 'w.pth').read_bytes() == b'mine'


@pytest.mark.parametrize('name', ['test', 'show_runs', 'show_pseudo_labels', 'train_affinity'])
def test_help_says_it(tool, name):
    """If it fails, a user cannot know what --force does."""
    status, output = tool(name, '--help')
    assert status == 0 and 'an input is never written over' in ' '.join(output.out.split())
