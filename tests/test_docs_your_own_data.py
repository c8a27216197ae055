"""The commands of the page about your own data work as written, and print what it shows."""

import json
import re
import shlex
from pathlib import Path

import numpy as np

from incseg.cli.main import main
from incseg.datasets import ShapesDataset
from incseg.evaluation import class_table, results_table
from tests.common import toys
from tests.common.folders import write_files

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / 'docs/your_own_data.md').read_text()
#: options that make a training small
TOY = [f'{key}={value!r}' for key, value in toys.TOY_NETWORK.items()]
SMALL = ['batch_size=8', 'crop_size=32', 'num_workers=0', *TOY]


def write_shapes(root):
    """The folder that the page shows."""
    drawn = ShapesDataset(split='train', length=60, size=96)
    names = drawn.metainfo['classes']
    files = {'classes.txt': '\n'.join(names)}
    for i in range(len(drawn)):
        info = drawn.get_data_info(i)
        files[f'images/{i:03d}.png'] = np.ascontiguousarray(info['img'][..., ::-1])
        files[f'masks/{i:03d}.png'] = info['gt_seg_map']
    write_files(root, files)


def test_every_command_of_the_page(tmp_path, monkeypatch, capsys):
    """If it fails, who follows the page ends in an error, or sees other lines than it shows."""
    write_shapes(tmp_path / 'my_shapes')
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r'^    incseg (.*)$', PAGE, re.M)
    assert [command.split()[0] for command in commands] == [*('init', 'train', 'init', 'init')]
    printed = []
    for command in commands:
        tool, *arguments = shlex.split(command)
        if tool == 'train':
            arguments = [arguments[0], '--epochs', '1', '--cfg-options', *SMALL]
        main([tool, *arguments])
        printed.append(capsys.readouterr().out)
    assert all(Path(name).is_file() for name in ('my_shapes.py', 'plop.py', 'r18.py'))
    for line in printed[0].splitlines():
        if not line.startswith(('split', 'next', 'config')):  # of this machine, or of its zlib
            assert f'\n{line}\n' in PAGE, line
    assert 'next     incseg train my_shapes.py\n' in printed[0]
    assert (
        'mib on my_shapes 4-2 overlap: mIoU, %' in printed[1]
        and '| 1    | cross, star' in printed[1]
    )
    written = Path('my_shapes.py').read_text()
    shown = re.search(r'```python\n(.*?)```', PAGE, re.S)[1]
    for line in shown.splitlines():
        assert line.strip() in ('', '…') or line.startswith('data_root') or line in written, line


def test_the_table_is_that_of_the_ledger():
    """If it fails, the page shows numbers that no training gave."""
    ledger = json.loads((ROOT / 'docs/results/own_folder/my_shapes_4-2.json').read_text())
    assert f'{class_table(ledger)}\n{results_table(ledger)}' in PAGE
