"""The class index of train_aug: scanning the masks against only decoding them, and a warm start.

    python benchmarks/class_index.py [--masks SegmentationClassAug.zip --ids train_aug.txt]

Without ``--masks`` it draws 2,000 masks.  Both forms use the same number of processes and take
turns.
"""

import argparse
import multiprocessing
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from data_folder import objects
from PIL import Image
from side_by_side import interleaved, report, target, times

from incseg.datasets import LabelReader, read_label_file
from incseg.protocols import ClassIndex
from incseg.protocols.label_scan import CHUNK, available_cores

DRAWN = 2000
COLD, WARM = 1.3, 0.2  # times decoding, seconds


class Clock:
    """Calls a function and keeps the seconds it took."""

    def __init__(self, function: Callable[[], object]):
        self.function = function
        self.seconds: list[float] = []

    def __call__(self) -> None:
        start = time.perf_counter()
        self.function()
        self.seconds.append(time.perf_counter() - start)


def mask_files(folder: Path, archive: Path | None, ids: Path | None) -> list[Path]:
    """The label files, unpacked or drawn below ``folder``."""
    if archive is None:
        rng = np.random.default_rng(0)
        files = [folder / f'{i:05}.png' for i in range(DRAWN)]
        for file in files:
            mask = Image.fromarray(objects(rng))
            mask.putpalette(rng.integers(0, 256, 768).tolist())
            mask.save(file)
        return files
    with zipfile.ZipFile(archive) as zipped:
        zipped.extractall(folder)
    by_id = {path.stem: path for path in sorted(folder.rglob('*.png'))}
    return list(by_id.values()) if ids is None else [by_id[i] for i in ids.read_text().split()]


def decode(files: list[str], ours: bool) -> None:
    for file in files:
        if ours:
            read_label_file(file)
        else:
            with Image.open(file) as image:
                np.array(image)


def decode_all(files: list[str], ours: bool, workers: int) -> None:
    """Decode in a pool as the scan has one, and do nothing with it."""
    chunks = [files[i : i + CHUNK] for i in range(0, len(files), CHUNK)]
    with ProcessPoolExecutor(workers, multiprocessing.get_context('fork')) as pool:
        for _ in pool.map(partial(decode, ours=ours), chunks):
            pass


def scan(files: list[str], workers: int, cache_dir: str | None = None) -> None:
    with tempfile.TemporaryDirectory() as empty:
        ClassIndex.scan(
            files,
            LabelReader(20),
            20,
            cache_dir=cache_dir or empty,
            num_workers=workers,
            progress=False,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--masks', type=Path, help='zip of palette PNGs')
    parser.add_argument('--ids', type=Path, help='list of the masks to be used; default: all')
    parser.add_argument('--workers', type=int, default=available_cores())
    parser.add_argument('--rounds', type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as cache:
        files = [str(path) for path in mask_files(Path(folder), args.masks, args.ids)]
        scan(files, args.workers, cache)
        clocks = {
            'decoding, ours': Clock(lambda: decode_all(files, True, args.workers)),
            'decoding, PIL': Clock(lambda: decode_all(files, False, args.workers)),
            'class index, cold': Clock(lambda: scan(files, args.workers)),
            'class index, warm': Clock(lambda: scan(files, args.workers, cache)),
        }
        interleaved(clocks, args.rounds)
    rows = []
    for name, clock in clocks.items():
        ratios = [
            float(np.median(np.divide(clock.seconds, clocks[f'decoding, {kind}'].seconds)[1:]))
            for kind in ('ours', 'PIL')
        ]
        seconds = statistics.median(clock.seconds[1:])
        rows.append([name, f'{seconds:.2f} s', *map(times, ratios)])
        if 'cold' in name:
            cold = ratios[1]
    report(
        f'{len(files)} masks, {args.workers} processes',
        ('', 'time', 'of decoding, ours', 'of decoding, PIL'),
        rows,
    )
    target('class index, cold, against decoding with PIL', cold, at_most=COLD)
    target('class index, warm', seconds, at_most=WARM, unit=' s')


if __name__ == '__main__':
    main()
