"""How time and memory grow with classes, image size and images, ours and plain; a run's steps.

    python benchmarks/growth.py [--steps 100]

Each series changes one number.  Its exponent is that of the growth between the two largest, where
fixed costs weigh least: 1 is linear in that number, or in the pixels where it is the size.
"""

import argparse
import math
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from inspect import signature
from pathlib import Path
from tempfile import mkdtemp

import torch
from class_index import decode_all, mask_files, scan
from evaluation import boolean_indexing
from growth_steps import steps
from losses import Case
from mmengine.registry import init_default_scope
from side_by_side import CUDA, in_fresh_process, interleaved, ms, peak_above, report, target, times
from training import Iteration, Settings

from incseg.evaluation.confusion import confusion_matrix
from incseg.models.decode_heads.class_map import class_map, class_map_at_once

DEVICE = 'cuda' if CUDA else 'cpu'
EXPONENT = 1.1  # "nothing super-linear", with room for noise
Forms = dict[str, Callable[[], object]]  # 'ours' and 'plain'


def losses(classes: int = 21, size: int = 512, batch: int = 1) -> Forms:
    case = Case(batch, classes, size, teacher=True)
    return dict(ours=case.ours, plain=case.plain)


def mib_step(classes: int = 21, size: int = 256, batch: int = 2) -> Forms:
    """A training step of BiSeNet-R18 in float32; plain: losses after upsampling, NCHW."""
    init_default_scope('incseg')
    args = Namespace(depth=18, size=size, batch=batch)
    outputs = (classes * 3 // 4 + 1, classes - classes * 3 // 4 - 1)
    ours = Settings(teacher=True, bf16=False, small_labels=classes < 256)
    plain = Settings(
        teacher=True,
        bf16=False,
        small_labels=classes < 256,
        fused_losses=False,
        channels_last=False,
    )
    return dict(ours=Iteration(args, ours, outputs), plain=Iteration(args, plain, outputs))


def metric(classes: int = 21, size: int = 512) -> Forms:
    found, truth = (torch.randint(0, classes, (size, size), device=DEVICE) for _ in range(2))
    return dict(
        ours=lambda: confusion_matrix(found, truth, classes),
        plain=lambda: boolean_indexing(found, truth, classes),
    )


def to_labels(classes: int = 21, size: int = 512) -> Forms:
    logits = torch.randn(classes, size // 8, size // 8, device=DEVICE)
    return dict(
        ours=lambda: class_map(logits, (size, size)),
        plain=lambda: class_map_at_once(logits, (size, size)),
    )


def class_index(images: int = 500) -> Forms:
    """Plain: decoding the masks with PIL, nothing more."""
    drawn = [str(path) for path in mask_files(Path(mkdtemp()), None, None)[:500]]
    files = drawn * (images // len(drawn))
    return dict(ours=lambda: scan(files, 1), plain=lambda: decode_all(files, False, 1))


@dataclass(frozen=True)
class Series:
    """One part of the work, and the number that grows."""

    title: str
    make: Callable[..., Forms]
    number: str
    values: tuple[int, ...]
    memory: bool = True  # else what it holds does not depend on the number

    def exponent(self, costs: list[float]) -> float:
        """Of the growth at the series' end; a size counts by its pixels."""
        growth = self.values[-1] / self.values[-2]
        growth = growth**2 if self.number == 'size' else growth
        return math.log(max(costs[-1], 1) / max(costs[-2], 1)) / math.log(growth)


CLASSES = (21, 151, 1001)  # 1001: int64 labels
TINY = dict(classes=5, size=64, batch=2)
SERIES = [
    Series('MiB losses', losses, 'classes', CLASSES),
    Series('MiB losses', losses, 'size', (256, 512, 1024)),
    Series('MiB losses', losses, 'batch', (2, 4, 16)),
    Series('MiB step, R18, 256 pixels', mib_step, 'classes', CLASSES),
    Series('MiB step, R18', mib_step, 'size', (128, 256, 512)),
    Series('MiB step, R18, 256 pixels', mib_step, 'batch', (2, 4, 8)),
    Series('logits to labels', to_labels, 'classes', CLASSES),
    Series('logits to labels', to_labels, 'size', (256, 512, 1024)),
    Series('confusion matrix', metric, 'classes', CLASSES),
    Series('confusion matrix', metric, 'size', (256, 512, 1024)),
    Series('class index', class_index, 'images', (500, 2000, 10000), memory=False),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--steps', type=int, default=100)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--memory', nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory:
        index, value, form = args.memory
        print(extra(SERIES[int(index)], int(value), form))
        return
    rows, verdicts = [], []
    for index, series in enumerate(SERIES):
        lines, found = measure(index, series, args.rounds)
        rows += lines
        verdicts += found
    report(
        'How cost grows',
        ('part', 'with', '', 'ours', 'plain', 'gain', 'ours, extra', 'plain, extra', 'gain'),
        rows,
    )
    for verdict in verdicts:
        verdict()
    steps(args.steps)


def extra(series: Series, value: int, form: str) -> float:
    """MB that a call needs; a tiny one comes first, for what torch itself loads."""
    known = signature(series.make).parameters
    series.make(**{name: tiny for name, tiny in TINY.items() if name in known})[form]()
    call = series.make(**{series.number: value})[form]
    if CUDA:
        call()  # cudnn tries its algorithms once
    return peak_above(call)


def measure(
    index: int, series: Series, rounds: int
) -> tuple[list[list[object]], list[Callable[[], None]]]:
    """The table's lines and the judgements of a series."""
    lines: list[list[object]] = []
    seconds, memory = [], []
    for value in series.values:
        took = interleaved(series.make(**{series.number: value}), rounds)
        seconds.append(took['ours'])
        line: list[object] = [
            series.title,
            series.number,
            value,
            ms(took['ours']),
            ms(took['plain']),
            times(took['plain'] / took['ours']),
        ]
        if series.memory:
            needs = [in_fresh_process('--memory', index, value, form) for form in ('ours', 'plain')]
            memory.append(needs[0])
            line += [
                *(f'{need:.0f} MB' for need in needs),
                times(needs[1] / needs[0]) if needs[0] >= 1 else '',
            ]
        lines.append([*line, *[''] * (9 - len(line))])
    name = f'growth of {series.title} with {series.number}, exponent of'
    judge = partial(target, at_most=EXPONENT, unit='')
    found: list[Callable[[], None]] = [
        partial(judge, f'{name} time', series.exponent([1e6 * s for s in seconds]))
    ]
    if series.memory:
        found.append(partial(judge, f'{name} extra memory', series.exponent(memory)))
    return lines, found


if __name__ == '__main__':
    main()
