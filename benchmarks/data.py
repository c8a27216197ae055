"""Decoding, augmentation and label mapping: ours, MMSegmentation's and plain code, image by image.

    python benchmarks/data.py [--data PHOTOGRAPHS] [--peer] [--step-ms MS --batch 24]

Every form runs in its own worker of a ``DataLoader`` and they take turns; the worker takes the
time.
``--peer`` needs mmsegmentation (mmcv-lite will do).  ``--step-ms`` is the time of a training step,
to which the loader is compared.  Pin it to one core: ``taskset -c 1``.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from data_folder import make_folder
from data_forms import Plain, label_map, offline, ours, peer, recipe, scale_crop_flip
from mmengine.dataset import pseudo_collate
from side_by_side import interleaved, report, target, times
from torch.utils.data import DataLoader, Dataset

from incseg.datasets import collate_samples

TARGET = 1.5
BATCH = 16  # samples that a worker makes at a turn, as it does in training


class Timed(Dataset):
    """A data set whose items are ``(seconds, bytes, sample)``.

    Args:
        dataset: The data set.
        seeded: Whether it takes ``(index, seed)``, else numpy is seeded for it.
        deliver: Whether the sample leaves the worker.
    """

    def __init__(self, dataset: Any, seeded: bool, deliver: bool):
        self.dataset, self.seeded, self.deliver = dataset, seeded, deliver

    def __getitem__(self, item: tuple[int, int]) -> tuple[float, int, Any]:
        np.random.seed(item[1])
        start = time.perf_counter()
        sample = self.dataset[item if self.seeded else item[0]]
        took = time.perf_counter() - start
        labels = sample['labels'] if 'labels' in sample else sample['data_samples'].gt_sem_seg.data
        wire = sum(x.numel() * x.element_size() for x in (sample['inputs'], labels))
        return took, wire, sample if self.deliver else None


class Batches:
    """One batch at each turn; the images follow one another, each time with another seed."""

    def __init__(self, count: int, size: int):
        self.count, self.size, self.next = count, size, 0

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        start, self.next = self.next, self.next + self.size
        yield [(i % self.count, i) for i in range(start, self.next)]


def collate(function: Callable[[list], Any], items: list[tuple[float, int, Any]]) -> Any:
    """Seconds, bytes, and the samples as ``function`` puts them together."""
    seconds, wire, samples = zip(*items)
    return list(seconds), list(wire), None if samples[0] is None else function(list(samples))


class Form:
    """A data set behind one worker; calling it makes the next batch, and may deliver it.

    Args:
        dataset: The data set.
        seeded: Whether it takes ``(index, seed)``; ours does.
        deliver: Whether the samples leave the worker, each form by its own collate function.
    """

    def __init__(self, dataset: Any, seeded: bool = False, deliver: bool = False):
        self.count = len(dataset)
        self.deliver = deliver
        self.seconds: list[float] = []  # in the worker, one value a sample
        self.wire: list[int] = []
        self.loader = DataLoader(
            Timed(dataset, seeded, deliver),
            batch_sampler=Batches(self.count, BATCH),
            num_workers=1,
            collate_fn=partial(collate, collate_samples if seeded else pseudo_collate),
            persistent_workers=True,
        )  # type: ignore

    def __call__(self) -> None:
        for took, wire, _ in self.loader:
            self.seconds += took
            self.wire += wire

    def turns(self) -> np.ndarray:
        """Seconds per image in the worker, one value for each turn of all images but the first."""
        return np.reshape(self.seconds, (-1, self.count)).mean(1)[1:]


def compare(forms: dict[str, Form], rounds: int) -> dict[str, float]:
    """Milliseconds per image: medians; and the median ratio to ours, ``<name> ratio``."""
    ours = forms['ours']
    calls = (rounds + 1) * ours.count // BATCH - 1
    whole = interleaved(forms, calls)  # batches take turns, so that a busy machine hits all alike
    if ours.deliver:
        took = {name: np.array([whole[name] / BATCH]) for name, form in forms.items()}
    else:
        took = {name: form.turns() for name, form in forms.items()}
    out = {name: 1000 * float(np.median(values)) for name, values in took.items()}
    return out | {
        f'{name} ratio': float(np.median(values / took['ours'])) for name, values in took.items()
    }


def rows(
    args: argparse.Namespace, root: Path
) -> tuple[list[list[object]], dict[str, float | None], float]:
    """The table, gains over MMSegmentation, milliseconds of one of our samples delivered."""
    table = label_map(root)
    lines, gains, delivered = [], {}, 0.0
    for title, transforms, colours, mapped, deliver in (
        ('recipe of voc.py', recipe('voc'), False, table, False),
        ('scale, crop, flip', scale_crop_flip(), False, table, False),
        ('  without a label map in theirs', scale_crop_flip(), False, None, False),
        ('  delivered to the trainer', scale_crop_flip(), False, table, True),
        ('and rotation, colours', offline(), True, table, False),
    ):
        forms = dict(ours=Form(ours(root, transforms), True, deliver))
        if args.peer:
            forms['mmseg'] = Form(peer(root, colours, mapped), False, deliver)
        if mapped:
            forms['plain'] = Form(Plain(root, colours, mapped), False, deliver)
        found = compare(forms, args.rounds)
        line: list[object] = [title, f'{found["ours"]:.2f} ms']
        for name in ('mmseg', 'plain'):
            line += (
                ['', '']
                if name not in forms
                else [f'{found[name]:.2f} ms', times(found[f'{name} ratio'])]
            )
        if mapped and title != 'recipe of voc.py':  # theirs has no transform like that
            gains[title.strip()] = found.get('mmseg ratio')
        wire = [statistics.fmean(form.wire) / 2**20 for form in forms.values()]
        lines.append([*line, ' / '.join(f'{size:.2f}' for size in wire) + ' MB'])
        delivered = found['ours'] if deliver else delivered
    return lines, gains, delivered


def per_transform(dataset: Any, rounds: int) -> dict[str, float]:
    """Milliseconds per image of every transform: the least of all rounds, averaged over images."""
    took: dict[tuple[str, int], list[float]] = {}
    image = 0

    def timed(work: Any, name: str, argument: Any) -> Any:
        start = time.perf_counter()
        result = work(argument)
        took.setdefault((name, image), []).append(time.perf_counter() - start)
        return result

    dataset.pipeline.transforms = [
        partial(timed, transform, type(transform).__name__ + ' ' * i)  # a name may come twice
        for i, transform in enumerate(dataset.pipeline.transforms)
    ]
    for _ in range(rounds):
        for image in range(len(dataset)):
            timed(dataset.__getitem__, 'whole', (image, image))
    out: dict[str, float] = {}
    for (name, _), values in took.items():
        out[name] = out.get(name, 0.0) + 1000 * min(values) / len(dataset)
    whole = out.pop('whole')
    return {**out, 'seeds and the rest': whole - sum(out.values()), 'all': whole}


class PerTransform(Dataset):
    """Its only item is :func:`per_transform` of a data set, so that a worker measures it."""

    def __init__(self, dataset: Any, rounds: int):
        self.dataset, self.rounds = dataset, rounds

    def __len__(self) -> int:
        return 1

    def __getitem__(self, item: int) -> dict[str, float]:
        return per_transform(self.dataset, self.rounds)


def feed(milliseconds: float, batch: int, step: float | None) -> None:
    """Print what so many milliseconds per image can feed."""
    per_core = 1000 / milliseconds
    print(
        f'{milliseconds:.2f} ms per image delivered: {per_core:.0f} images/s per core, '
        f'{16 * per_core:.0f} on 16 cores, which feed a batch of {batch} every '
        f'{batch * milliseconds / 16:.1f} ms'
    )
    if step is not None:
        for cores in (1, 16):
            share = batch * milliseconds / cores / step
            print(f'step of {step:.1f} ms: {cores} core(s) load a batch in {share:.0%} of it')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, help='folder of photographs; default: drawn ones')
    parser.add_argument('--peer', action='store_true', help='compare with mmsegmentation')
    parser.add_argument('--images', type=int, default=32)
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--step-ms', type=float)
    parser.add_argument('--batch', type=int, default=24)
    args = parser.parse_args()
    cv2.setNumThreads(0)  # as mmengine sets it for the workers of ours and mmseg's
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / 'voc'
        make_folder(root, args.images, args.data)
        files = list((root / 'JPEGImages').iterdir())
        size = sum(file.stat().st_size for file in files) / len(files) / 1000
        lines, gains, delivered = rows(args, root)
        report(
            f'One training sample on one core, JPEGs of 500 x 375 and {size:.0f} kB, crop 512',
            ('transforms', 'ours', 'mmseg', 'gain', 'plain', 'gain', 'on the wire'),
            lines,
        )
        for title, transforms in (('voc.py', recipe('voc')), ('offline', offline())):
            dataset = PerTransform(ours(root, transforms), args.rounds)
            found = next(iter(DataLoader(dataset, num_workers=1, batch_size=None)))
            print(f'{title}: ' + ', '.join(f'{k.rstrip()} {v:.2f} ms' for k, v in found.items()))
        feed(delivered, args.batch, args.step_ms)
    for title, gain in gains.items():
        target(
            f'data per core against MMSegmentation, {title}',
            gain,
            at_least=TARGET,
            because='--peer was not given',
            asked=bool(args.peer),
        )


if __name__ == '__main__':
    main()
