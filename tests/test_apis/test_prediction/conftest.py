"""A toy network in an empty folder, and pictures for it."""

import sys
from pathlib import Path

import cv2
import pytest
import torch

import incseg.apis.prediction.inputs  # noqa: F401 - before OpenCV opens its first video
from incseg.datasets import ShapesDataset
from incseg.engine.checkpoint import read_step_checkpoint, save_checkpoint
from incseg.registry import MODELS

FORMATS = Path(__file__).resolve().parents[2] / 'formats'


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The working folder: ``final.pth``, whose classes have other dataset ids than train ids, and
    ``photos`` with two pictures of other sizes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(FORMATS))
    content = read_step_checkpoint(FORMATS / 'format_1.pth')
    steps = content['meta']['protocol']['steps']
    content['meta']['protocol']['steps'] = [[10 + i for i in step] for step in steps]
    save_checkpoint(content, Path('final.pth'), 'step')
    (tmp_path / 'photos').mkdir()
    for i, size in enumerate((48, 64)):
        drawn = ShapesDataset(split='test', length=2, size=size).get_data_info(i)
        cv2.imwrite(f'photos/{"ab"[i]}.png', drawn['img'][:40])
    yield tmp_path
    sys.modules.pop('toy_parts', None)
    MODELS.module_dict.pop('KeptBackbone', None)


@pytest.fixture
def clip(here):
    """A video of seven frames of 64x48 pixels, each of one grey."""
    video = cv2.VideoWriter('clip.avi', cv2.VideoWriter_fourcc(*'MJPG'), 10, (64, 48))
    if not video.isOpened():
        pytest.skip('this OpenCV writes no video')
    for i in range(7):
        video.write(torch.full((48, 64, 3), 30 * i, dtype=torch.uint8).numpy())
    video.release()
    return here / 'clip.avi'
