"""The commands of the page about imports work as they are written."""

import json
import re
import shlex
from pathlib import Path

import pytest
import torch

from incseg.apis.foreign_network import network_names
from incseg.cli.main import main
from incseg.registry import MODELS
from tests.common.foreign_networks import torchvision_network, trained
from tests.conftest import TINY

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / 'docs/import.md').read_text()
COMMANDS = re.findall(r'^    incseg (.*)$', PAGE, re.M)
CLASSES = ['background', 'disc', 'square', 'triangle', 'ring']
SMALL = {**TINY, 'data.train.length': 8, 'batch_size': 4, 'base_steps_dir': 'base'}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The files that the page names, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    lists = dict(classes=CLASSES, things=CLASSES[1:], shuffled=[CLASSES[0], *CLASSES[:0:-1]])
    for name, names in lists.items():
        (tmp_path / f'{name}.txt').write_text('\n'.join(names))
    for name, outputs in (('net', 5), ('shuffled', 5), ('things', 4)):
        net = torchvision_network('lraspp_mobilenet_v3_large', outputs)
        torch.save(net.state_dict(), f'{name}.pth')
    [keys] = re.findall(r'```json\n(.*?)```', PAGE, re.S)
    (tmp_path / 'keys.json').write_text(keys)
    torch.save(mine(json.loads(keys)), 'mine.pth')
    return tmp_path


def mine(keys):
    """The weights of a BiSeNet under the names that the page's key map knows."""
    config = dict(
        type='EncoderDecoder',
        backbone=dict(type='BiSeNet', depth=18),
        decode_head=dict(type='FCNHead'),
        outputs_per_step=[5],
    )
    names = {new: old for old, new in keys['names'].items()}
    state = trained(MODELS.build(config)).state_dict()
    state = {names.get(name, name): value for name, value in state.items()}
    state = {re.sub(r'^decode_head\.conv\.', 'head.', name): x for name, x in state.items()}
    state = {re.sub(r'^backbone\.', 'encoder.', name): x for name, x in state.items()}
    return {**state, 'ema.x': torch.ones(1)}


def test_every_command_of_the_page_runs(folder, capsys):
    """If it fails, a reader who types the page meets an error."""
    assert len(COMMANDS) == 6
    for command in COMMANDS:
        tool, *arguments = shlex.split(command)
        if tool != 'import':
            arguments += ['--cfg-options', *(f'{key}={value}' for key, value in SMALL.items())]
        argv = [arg.replace('configs/', f'{ROOT}/configs/', 1) for arg in arguments]
        main([tool, *argv])
    assert 'the network of imported/final.pth' in capsys.readouterr().out
    ledger = json.loads((folder / 'work_dirs/bisenet_r18_shapes_4-1/results.json').read_text())
    tested = json.loads((folder / 'work_dirs/bisenet_r18_shapes_4-1/test_step_0.json').read_text())
    assert tested['iou'] == ledger['steps'][0]['iou'], 'incseg test prints what training printed'
    assert ledger['steps'][0]['imported_from'] == 'imported/final.pth'
    for name in ('mine', 'things', 'ordered'):
        assert (folder / name / 'final.pth').is_file()


def test_the_page_names_every_network():
    """If it fails, a network that can be imported is not on the page."""
    named = {*re.findall(r'`([\w…]+)`', PAGE)}
    for name in network_names():
        end = f'…{re.split("resnet|_", name)[-1]}'
        own = (ROOT / f'configs/_base_/models/{name}.py').is_file()
        assert name in named or end in named or own, name
