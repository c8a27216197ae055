"""The command and the snippet of the page about teaching work as written."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from incseg.apis.teach import pseudo_labels, taught_config
from incseg.cli.main import main
from incseg.engine import train_protocol
from tests.common.painted_shapes import write_shapes_folder

PAGE = (Path(__file__).resolve().parents[1] / 'docs/teach.md').read_text()
COMMANDS = re.findall(r'^    incseg (teach .*)$', PAGE, re.M)
SHAPES = dict(disc=1, square=2, triangle=3)


@pytest.fixture
def animals(tiny, tmp_path, monkeypatch):
    """The model and the folder of the page, at toy size, in the current folder."""
    write_shapes_folder(tmp_path / 'animals', SHAPES, seed=1)
    names = ['person', 'cat', 'dog']
    part = dict(type='FolderDataset', data_root=str(tmp_path / 'animals'), ids=names)
    steps = dict(base=dict(classes=names, data=dict(train=part, test=0.2)))
    config = tiny('mib', **{'protocol': dict(name='open', steps=steps)})
    train_protocol(config, tmp_path / 'work_dirs/animals')
    write_shapes_folder(tmp_path / 'horses', dict(star=1))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(taught_config, 'iterations', lambda images: 2)


def test_the_command(animals, capsys):
    """If it fails, who follows the page ends in an error, or sees other lines than it shows."""
    command, _ = COMMANDS
    capsys.readouterr()
    main(shlex.split(command))
    said = capsys.readouterr().out
    shown = re.search(r'```\n(model    .*?)```', PAGE, re.S)[1]
    first = [line.split()[0] for line in shown.splitlines() if re.match(r'\w+ {2,}', line)]
    first.remove('warning')  # of other pictures
    assert first == ['model', 'images', 'split', 'old', 'plan', 'agree', 'saved']
    assert all(re.search(rf'^{word} +\S', said, re.M) for word in first), said
    assert Path('work_dirs/animals+horse/step_1/final.pth').is_file(), 'as the page says'


def test_without_masks(animals, tmp_path, monkeypatch, capsys):
    """If it fails, who has no masks and follows the page ends in an error."""
    _, command = COMMANDS
    real = pseudo_labels.seam_base
    monkeypatch.setattr(pseudo_labels, 'seam_base', lambda config, chosen: real(config, 'shapes'))
    monkeypatch.setattr(pseudo_labels, 'iterations', lambda images: 1)
    masks = sorted((tmp_path / 'horses/masks').iterdir())
    tags = {each.name: ['horse'] * bool(np.array(Image.open(each)).any()) for each in masks}
    (tmp_path / 'horses/tags.json').write_text(json.dumps(tags))
    main(shlex.split(command))
    said = capsys.readouterr().out
    shown = re.search(r'```\n(found .*?)\n```', PAGE)[1]
    form = re.sub(r'\d+\\ %', r'(\\d+ %|-)', re.escape(shown))
    assert re.search(re.sub(r'(?<!\w)\d+', r'\\d+', form), said), said


def test_the_snippet(animals):
    """If it fails, the lines for Python are not the library's."""
    [snippet] = re.findall(r'```python\n(.*?)```', PAGE, re.S)
    names: dict = {}
    exec(snippet.replace("'step_0/", "'work_dirs/animals/step_0/"), names)
    assert names['result'].after['horse'] is not None and names['result'].checkpoint.is_file()
