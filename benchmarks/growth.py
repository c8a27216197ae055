"""How cost grows: the losses with classes and image size, a run with its steps.

    python benchmarks/growth.py [--steps 100]
"""
import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import numpy as np
from losses import Case
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from side_by_side import ROOT, in_fresh_process, interleaved, ms, peak_above, report

from incseg.apis.config import load_config
from incseg.datasets.seg_dataset import SegDataset
from incseg.engine import train_protocol
from incseg.registry import DATASETS, HOOKS


@DATASETS.register_module()
class ManyClasses(SegDataset):
    """Blocks of noise in as many classes as wanted, four to a picture; no files."""

    def __init__(self, data_root: str = '', split: str | Sequence[str] = 'train',
                 pipeline: Sequence[dict | Callable] = (), *, length: int = 400,
                 **kwargs: Any) -> None:
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

    def _scan(self, num_workers: int | None, progress: bool) -> np.ndarray:
        presence = np.zeros((len(self), self.num_classes + 1), np.bool_)
        for i, row in enumerate(presence):
            row[np.unique(self._label(i))] = True
        return presence


@HOOKS.register_module()
class FirstIteration(Hook):
    """Notes when each step's first iteration begins."""

    begun: list[float] = []

    def before_train(self, runner: Any) -> None:
        self.begun.append(time.monotonic())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--steps', type=int, default=100)
    parser.add_argument('--memory', nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory:
        Case(1, 2, 64, True).ours()
        print(peak_above(Case(*map(int, args.memory), teacher=True).ours))
        return
    losses()
    steps(args.steps)


def losses() -> None:
    rows = []
    cases = [(2, 21, 512), (2, 151, 512), (2, 1001, 512), (2, 21, 256), (2, 21, 1024), (8, 21, 512)]
    for batch, classes, size in cases:
        case = Case(batch, classes, size, teacher=True)
        seconds = interleaved(dict(ours=case.ours), 3)['ours']
        logits = batch * size**2 * (classes + case.num_old)
        rows.append([classes, size, batch, str(case.target.dtype).split('.')[1], ms(seconds),
                     f'{1e9 * seconds / logits:.2f}',
                     f"{in_fresh_process('--memory', batch, classes, size):.0f} MB",
                     f'{4 * logits / 2**20:.0f} MB'])
    report('MiB losses, forward and backward',
           ('classes', 'size', 'batch', 'labels', 'time', 'ns per logit', 'extra memory',
            'full-size logits would take'), rows)


def steps(number: int) -> None:
    """Train a protocol of many steps, one iteration each; what comes before the first one."""
    init_default_scope('incseg')
    config = load_config(ROOT / 'configs/mib/bisenet_r18_shapes_4-1.py', {
        'batch_size': 2, 'epochs': 1, 'schedule.log_interval': 1000})
    config.custom_hooks = dict(first=dict(type='FirstIteration'))
    classes = number + 3
    names = ['background', *(f'class {i}' for i in range(1, classes + 1))]
    colours = np.random.default_rng(0).integers(0, 256, (classes + 1, 3)).tolist()
    for split, length in (('train', 2 * classes), ('test', 4)):
        config.data[split] = dict(
            type='ManyClasses', length=length, metainfo=dict(classes=names, palette=colours))
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        with redirect_stdout(StringIO()):
            train_protocol(config, folder, reuse=False)
        total = time.monotonic() - start
    begun = FirstIteration.begun
    between = [later - earlier for earlier, later in zip(begun, begun[1:])]
    tenth = max(1, len(between) // 10)
    report(f'A protocol of {number} steps, {total:.0f} s in all',
           ('', 'first tenth', 'last tenth'),
           [['from one step to the next, median s',
             f'{statistics.median(between[:tenth]):.2f}',
             f'{statistics.median(between[-tenth:]):.2f}']])


if __name__ == '__main__':
    main()
