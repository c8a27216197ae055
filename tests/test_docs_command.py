"""The pages about the command: every command is there, and what they show is what is printed."""

import re
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest

from incseg.apis.prediction.files import KINDS
from incseg.cli.main import COMMANDS, main
from incseg.engine.checkpoint import read_step_checkpoint, save_checkpoint
from incseg.registry import MODELS

ROOT = Path(__file__).resolve().parents[1]
COMMAND, PREDICT = ((ROOT / f'docs/{name}.md').read_text() for name in ('command', 'predict'))


def test_the_page_names_every_command_and_its_file():
    """If it fails, a command or the file that does the same is not found."""
    table = '\n'.join(line for line in COMMAND.splitlines() if line.startswith('| `incseg'))
    for name in COMMANDS:
        assert re.search(rf'`(incseg )?{name}[` ]', table), name
    for file in (ROOT / 'tools').glob('*.py'):
        assert file.name in table or f'`{file.stem.replace("_", "-")}`' in table.replace(
            '`incseg ', '`'
        ), file.name


def test_the_message_of_the_page(tmp_path, monkeypatch):
    """If it fails, the page shows a message that nobody gets."""
    monkeypatch.chdir(tmp_path)
    [(command, message)] = re.findall(r'^    \$ incseg (.*)\n    (error: .*)$', COMMAND, re.M)
    with pytest.raises(SystemExit) as stop:
        main(shlex.split(command))
    assert str(stop.value) == message


def test_every_command_of_the_page_about_predictions(tmp_path, monkeypatch, capsys):
    """If it fails, who follows the page ends in an error, or sees other lines than it shows."""
    formats = Path(__file__).parent / 'formats'
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(formats))
    save_checkpoint(read_step_checkpoint(formats / 'format_1.pth'), Path('final.pth'), 'step')
    Path('photos').mkdir()
    video = cv2.VideoWriter('clip.avi', cv2.VideoWriter_fourcc(*'MJPG'), 10, (48, 48))
    for i in range(5):
        pixels = np.full((48, 48, 3), 40 * i, np.uint8)
        cv2.imwrite(f'photos/{i}.png', pixels)
        video.write(pixels)
    video.release()
    commands = re.findall(r'^    incseg (predict .*)$', PREDICT, re.M)
    assert len(commands) == 2
    for command in commands:
        main([*shlex.split(command), '--import', 'toy_parts'])
    MODELS.module_dict.pop('KeptBackbone', None)
    shown = re.findall(r'^    ((?:model|video|saved) .*)$', PREDICT, re.M)
    assert capsys.readouterr().out.splitlines()[-3:] == shown
    assert all(f'| `{kind}` |' in PREDICT for kind in KINDS)
