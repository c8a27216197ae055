"""A full disk at every kind of file: one line, and the old file survives."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from faults.toy_runs import in_child, train
from incseg.datasets import PseudoLabelFiles
from incseg.engine.checkpoint import save_atomically
from incseg.evaluation import Ledger
from incseg.protocols.class_index import PresenceCache
from incseg.utils.files import write_json


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path | None]:
    """Yield a file system of a given size, or None where none can be mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ['mount', '-t', 'tmpfs', '-o', f'size={kilobytes}k', 'tmpfs', str(folder)]
    if subprocess.run(command, capture_output=True).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(['umount', str(folder)], check=True)


def fill(disk: Path) -> None:
    """Leave no room on a disk."""
    with open(disk / 'filler', 'wb', buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def ledger(number: int) -> Ledger:
    """Return a ledger with one step, whose accuracy is a number."""
    book = Ledger(dict(config='c', method='m', seed=0, protocol={}), ['a'], [])
    protocol = dict(name='1-1', dataset='d', setting='overlap', steps=[[1]], classes=['b', 'a'])
    book.header['protocol'] = protocol
    iou = {f'class {i}': 1.0 for i in range(500)}
    book.add(0, dict(iou=iou, accuracy=float(number)), [], train_images=1, seconds=1.0)
    return book


def writers(disk: Path) -> dict[str, tuple[Path, Callable[[int], Any]]]:
    """Return, by kind of file, its path and a function that writes content number n."""
    import torch

    files = PseudoLabelFiles(disk / 'labels')
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (200, 200), np.uint8)
    return {
        'checkpoint': (
            disk / 'final.pth',
            lambda n: save_atomically(dict(x=torch.full((9999,), float(n))), disk / 'final.pth'),
        ),
        'ledger': (disk / 'results.json', lambda n: ledger(n).write(disk)),
        'record': (
            disk / 'metrics.json',
            lambda n: write_json(disk / 'metrics.json', dict(x=[n] * 9999)),
        ),
        'class index': (
            disk / 'key.bin',
            lambda n: PresenceCache('key', disk).save(np.full((9999, 2), bool(n))),
        ),
        'pseudo-label': (files.label_path('a'), lambda n: files.write('a', noise + np.uint8(n))),
        'digests': (disk / 'labels/digests.json', lambda n: files.write_digests(['a'])),
    }


def full_disk(folder: Path) -> tuple[list[str], int | None]:
    """Write each kind of file on a full disk, over an old one; and train on one.

    Returns:
        A line for each kind, and the number of faults; None if no disk can be mounted.
    """
    lines, faults = [], 0
    with small_disk(folder / 'disk', 3000) as disk:
        if disk is None:
            return ['full disk: not measured, no file system can be mounted here'], None
        for kind, (path, write) in writers(disk).items():
            if kind == 'digests':
                writers(disk)['pseudo-label'][1](0)
            write(0)
            before = path.read_bytes()
            fill(disk)
            status, said = in_child(partial(write, 1), folder / 'log')
            kept = path.read_bytes() == before
            left = [p for p in disk.rglob('*.tmp')]
            wanted = (0,) if kind == 'class index' else (1,)  # a cache is a warning
            good = kept and not left and status in wanted
            faults += not good
            said = 'a warning, nothing is cached' if good and status == 0 else said
            lines.append(
                f'full disk, {kind}: {"" if good else "FAULT "}{said}'.replace(str(disk), '')
            )
            for each in disk.iterdir():
                shutil.rmtree(each) if each.is_dir() else each.unlink()
    straight = folder / 'straight'
    straight.mkdir()
    status, said = in_child(train('mib', straight), folder / 'log')
    assert status == 0, said
    size = sum(path.stat().st_size for path in straight.rglob('*') if path.is_file()) // 1024
    for share in (0.2, 0.5, 0.8):
        with small_disk(folder / 'run', int(size * share) + 1) as disk:
            assert disk is not None
            status, said = in_child(
                train('mib', disk, base_steps_dir=str(folder / 'b')), folder / 'log'
            )
            left = [p for p in disk.rglob('*.tmp')]
            good = status == 1 and not left
            faults += not good
            text = (folder / 'log').read_text()[-2000:] if not good else said
            lines.append(f'training, {share:.0%} of its room: {text}'.replace(str(disk), ''))
    return lines, faults
