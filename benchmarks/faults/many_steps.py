"""Fifty tiny steps: memory, open files and the disk do not grow from step to step."""

import gc
import os
from pathlib import Path
from typing import Any

import numpy as np

from faults.toy_runs import in_child, toy_config
from incseg.datasets import SegDataset
from incseg.datasets.label_maps import write_label_file
from incseg.engine import train_protocol
from incseg.registry import HOOKS
from incseg.utils.pictures import write_picture

STEPS = 50


def draw(folder: Path) -> None:
    """Write one picture of every class for training, and one for the test."""
    for split in ('train', 'val'):
        for k in range(1, STEPS + 1):
            mask = np.zeros((32, 32), np.uint8)
            mask[8:24, 8:24] = k
            picture = np.full((32, 32, 3), (5 * k % 256, 90, 30), np.uint8)
            write_picture(folder / f'images/{split}/{k:03}.png', picture)
            write_label_file(folder / f'labels/{split}/{k:03}.png', mask)


def many_steps(folder: Path, keep: Any = 2) -> tuple[list[str], int]:
    """Train fifty steps of one class each, and measure at the end of every one.

    Args:
        folder: An empty folder.
        keep: ``schedule.keep``.

    Returns:
        Lines, and the number of faults.
    """
    draw(folder / 'data')
    report = folder / 'report'

    def work() -> None:
        measured = []

        from mmengine.hooks import Hook

        @HOOKS.register_module(force=True)
        class Measure(Hook):
            priority = 'LOWEST'

            def after_train(self, runner: Any) -> None:
                gc.collect()
                pages = int(Path('/proc/self/statm').read_text().split()[1])
                networks = [*(folder / 'run').glob('step_*/*.pth')]
                disk = sum(path.stat().st_size for path in networks)
                files = len(os.listdir('/proc/self/fd'))
                measured.append((pages * os.sysconf('SC_PAGE_SIZE') / 2**20, files, disk / 2**20))

        source: dict[str, Any] = dict(
            type=SegDataset.__name__,
            data_root=str(folder / 'data'),
            metainfo=dict(classes=['background', *(f'class {k}' for k in range(1, STEPS + 1))]),
        )
        config = toy_config('ft', folder, epochs=1, batch_size=1)
        config.data.train, config.data.test = dict(source, split='train'), dict(source, split='val')
        config.data.name = 'fifty'
        config.protocol.name = '1-1'
        config.schedule.keep = keep
        config.custom_hooks = dict(measure=dict(type='Measure'))
        train_protocol(config, folder / 'run', reuse=False)
        report.write_text('\n'.join(' '.join(map(str, row)) for row in measured))

    status, said = in_child(work, folder / 'log')
    if status:
        return [f'fifty steps: {said}', (folder / 'log').read_text()[-3000:]], 1
    rows = np.array([line.split() for line in report.read_text().splitlines()], float)
    early, late = rows[5:15].mean(0), rows[-10:].mean(0)
    memory, files, disk = late - early
    faults = (memory > 30) + (files > 1) + (disk > 1 + early[2])
    return [
        f'{len(rows)} steps, means of steps 6 to 15 and of the last 10: '
        f'memory {early[0]:.0f} and {late[0]:.0f} MB, open files {early[1]:.0f} and {late[1]:.0f}, '
        f'networks on the disk {early[2]:.1f} and {late[2]:.1f} MB (schedule.keep={keep!r})'
    ], int(faults)
