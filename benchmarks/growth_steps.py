"""How a run grows with its steps: time from one to the next, and memory."""

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from side_by_side import CUDA, ROOT, report, target

from incseg.apis.config.loading import load_config
from incseg.datasets.seg_dataset import SegDataset
from incseg.engine import train_protocol
from incseg.registry import DATASETS, HOOKS

SECONDS = 10  # "a step starts in seconds"


@DATASETS.register_module()
class ManyClasses(SegDataset):
    """Blocks of noise in as many classes as wanted, four to a picture; no files."""

    def __init__(
        self,
        data_root: str = '',
        split: str | Sequence[str] = 'train',
        pipeline: Sequence[dict | Callable] = (),
        *,
        length: int = 400,
        **kwargs: Any,
    ) -> None:
        self.length = length
        super().__init__(data_root, split, pipeline, **kwargs)

    def load_data_list(self) -> list[dict]:
        return [dict(image_id=f'{i}', index=i) for i in range(self.length)]

    def get_data_info(self, idx: int) -> dict:
        info = super().get_data_info(idx)
        info['gt_seg_map'] = self._label(info['index'])
        rng = np.random.default_rng(info['index'])
        info['img'] = rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)
        return info

    def _label(self, index: int) -> np.ndarray:
        classes = (np.arange(4) + 4 * index) % self.num_classes + 1
        return np.kron(classes.reshape(2, 2), np.ones((16, 16))).astype(np.uint8)

    def _scan(self, entries: Sequence[dict], num_workers: int | None, progress: bool) -> np.ndarray:
        presence = np.zeros((len(entries), self.num_classes + 1), np.bool_)
        for row, entry in zip(presence, entries):
            row[np.unique(self._label(entry['index']))] = True
        return presence


@HOOKS.register_module()
class FirstIteration(Hook):
    """Notes when each step's first iteration begins, and the memory that is in use then."""

    begun: list[float] = []
    memory: list[float] = []  # MB

    def before_train(self, runner: Any) -> None:
        self.begun.append(time.monotonic())
        self.memory.append(torch.cuda.memory_allocated() / 2**20 if CUDA else resident())


def resident() -> float:
    """MB of memory the process holds now."""
    status = Path('/proc/self/status').read_text()
    return int(status.split('VmRSS:')[1].split()[0]) / 1024


def steps(number: int) -> None:
    """Train a protocol of many steps, one iteration each; what comes before the first one."""
    init_default_scope('incseg')
    config = load_config(
        ROOT / 'configs/mib/bisenet_r18_shapes_4-1.py',
        {'batch_size': 2, 'epochs': 1, 'schedule.log_interval': 1000},
    )
    config.custom_hooks = dict(first=dict(type='FirstIteration'))
    classes = number + 3
    names = ['background', *(f'class {i}' for i in range(1, classes + 1))]
    colours = np.random.default_rng(0).integers(0, 256, (classes + 1, 3)).tolist()
    for split, length in (('train', 2 * classes), ('test', 4)):
        config.data[split] = dict(
            type='ManyClasses', length=length, metainfo=dict(classes=names, palette=colours)
        )
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        with redirect_stdout(StringIO()):
            train_protocol(config, folder, reuse=False)
        total = time.monotonic() - start
    begun, memory = FirstIteration.begun, FirstIteration.memory[1:]
    between = [later - earlier for earlier, later in zip(begun, begun[1:])]
    tenth = max(1, len(between) // 10)
    first, last = (statistics.median(part) for part in (between[:tenth], between[-tenth:]))
    small, large = (statistics.median(part) for part in (memory[:tenth], memory[-tenth:]))
    report(
        f'A protocol of {number} steps, {total:.0f} s in all',
        ('', 'first tenth', 'last tenth'),
        [
            ['from one step to the next, median', f'{first:.2f} s', f'{last:.2f} s'],
            ['memory in use as a step begins, median', f'{small:.0f} MB', f'{large:.0f} MB'],
        ],
    )
    target(
        f'from one step to the next at the end of {number} steps', last, at_most=SECONDS, unit=' s'
    )
