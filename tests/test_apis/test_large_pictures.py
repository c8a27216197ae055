"""The memory that a large picture needs, from its file to its label map."""

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from tests.conftest import ROOT

SCRIPT = """
import sys
from pathlib import Path
import numpy as np
import torch
from incseg.apis import inference_model, init_model, load_config
import tests.common.toys
torch.set_num_threads(1)
config = load_config('configs/mib/bisenet_r101_15-1.py', {
    'pretrained': False, 'model.backbone': dict(type='ToyBackbone'), 'model.auxiliary_head': None,
})
model = init_model(config, device='cpu', test_cfg=dict(mode='slide', crop_size=512, flip=True))
inference_model(model, np.zeros((700, 700, 3), np.uint8))
def memory(key):
    return int(Path('/proc/self/status').read_text().split(key)[1].split()[0]) / 1024
Path('/proc/self/clear_refs').write_text('5')
before = memory('VmRSS:')
labels = inference_model(model, sys.argv[1]).pred_sem_seg.data
print(*labels.shape[1:], memory('VmHWM:') - before)
"""


@pytest.mark.parametrize('megapixels', [6, pytest.param(40, marks=pytest.mark.slow)])
def test_memory_follows_the_window(tmp_path, megapixels):
    """Under 1 GB at 40 megapixels: 10 bytes a pixel, and what a window of a toy needs.

    If it fails, floats or logits of the whole picture exist: 12 bytes a pixel each time, or 84.
    """
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    small = np.random.default_rng(0).integers(0, 256, (height // 9, height // 6, 3), np.uint8)
    path = tmp_path / 'large.jpg'
    cv2.imwrite(str(path), cv2.resize(small, (round(height * 1.5), height)))
    done = subprocess.run(
        [sys.executable, '-c', SCRIPT, str(path)],
        cwd=ROOT,
        env={**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    tall, wide, megabytes = done.stdout.split()[-3:]
    assert (int(tall), int(wide)) == (height, round(height * 1.5))
    assert float(megabytes) < 60 + 10 * megapixels * 1e6 / 2**20
