"""Protocols of many sizes, small label files, and scans of them that can be watched."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from incseg.protocols import ClassIndex, Protocol

CLASSES = 7


def read_mask(path):
    with Image.open(path) as mask:
        return np.asarray(mask)


def read_logged(path, log, shift=0):
    """A reader that leaves a line per call, from whichever process."""
    with Path(log).open('a') as lines:
        lines.write(f'{path}\n')
    return read_mask(path) + np.uint8(shift)


@pytest.fixture
def make_masks():
    """Writes PNGs of blocks with ids 0..7 and void; some hold a single pixel of an id."""

    def run(folder, count, seed=0):
        rng = np.random.default_rng(seed)
        folder.mkdir(parents=True, exist_ok=True)
        files = []
        for i in range(count):
            height, width = rng.integers(1, 24, 2)
            ids = rng.choice([0, 1, 2, 3, 4, 5, 6, 7, 255], rng.integers(1, 4))
            mask = rng.choice(ids, (height, width)).astype(np.uint8)
            mask[: height // 2] = mask[0, 0]
            mask[-1, -1] = rng.integers(0, 8)
            files.append(str(folder / f'{i:04d}.png'))
            Image.fromarray(mask).save(files[-1])
        return files

    return run


@pytest.fixture
def brute_force():
    """The rows that a scan of such files must find."""

    def run(files):
        return np.array([[(read_mask(f) == c).any() for c in range(CLASSES + 1)] for f in files])

    return run


@pytest.fixture
def masks(tmp_path, make_masks):
    return make_masks(tmp_path / 'labels', 12)


@pytest.fixture
def log(tmp_path):
    return tmp_path / 'log.txt'


@pytest.fixture
def calls(log):
    """Paths read since the last look."""

    def run():
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines

    return run


@pytest.fixture
def scan(tmp_path, log):
    """Scans with a logging reader and the cache of this test, in silence."""

    def run(files, read=None, num_classes=CLASSES, num_workers=1, **options):
        options = {'cache_dir': tmp_path / 'cache', 'progress': False, **options}
        read = partial(read_logged, log=str(log)) if read is None else read
        return ClassIndex.scan(files, read, num_classes, num_workers=num_workers, **options)

    return run


@pytest.fixture(scope='session')
def many():
    """Protocols of one to 254 classes, in all settings and two class orders."""
    return [
        Protocol(num_classes, base, increment, setting, order)
        for num_classes in (1, 2, 5, 11, 20, 254)
        for base in sorted({1, num_classes // 2 or 1, num_classes - 1 or 1, num_classes})
        for increment in (1, 2, 3, 7)
        for setting in ('overlap', 'disjoint', 'sequential', 'partitioned')
        for order in (None, tuple(np.random.default_rng(7).permutation(num_classes) + 1))
    ]
